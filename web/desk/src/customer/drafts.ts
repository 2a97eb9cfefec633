import type { Attempt } from '../actions/useChange';
import type { EntryFragment } from '../generated/graphql';

/** A note that is written and not saved yet. */
export interface Draft {
  message: string;
  mentions: string;
  files: File[];
  /** The ids of those files that were sent already. */
  uploads: Map<File, string>;
  /** The events that the note is about. */
  links: EntryFragment[];
  attempt: Attempt;
}

/** By viewer and customer, in the memory of this page only: what is written of people is stored nowhere before it is saved. */
const drafts = new Map<string, Draft>();

const placeOf = (viewer: string, customerId: string) => JSON.stringify([viewer, customerId]);

export const draftOf = (viewer: string, customerId: string): Draft | undefined => drafts.get(placeOf(viewer, customerId));

/** Keeps what was written for the next time that this customer is opened; nothing if nothing is written. */
export function keepDraft(viewer: string, customerId: string, draft: Draft | undefined): void {
  if (draft && (draft.message || draft.mentions || draft.files.length || draft.links.length)) {
    drafts.set(placeOf(viewer, customerId), draft);
  } else {
    drafts.delete(placeOf(viewer, customerId));
  }
}
