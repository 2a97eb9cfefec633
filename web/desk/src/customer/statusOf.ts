import type { Words } from '../words/en';

/** A status of another system in our words; in its own where we have none. */
export const statusOf = (t: Words, { status, sourceStatus }: { status: string; sourceStatus: string }): string =>
  status === 'OTHER' ? sourceStatus : t.word(status);
