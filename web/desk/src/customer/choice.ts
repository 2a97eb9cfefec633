import type { ActivityFilter, ActivityGroup } from '../generated/graphql';

/** What of the timeline is to be shown. */
export interface Choice {
  groups: ActivityGroup[];
  types: string[];
  sources: string[];
  actorIds: string[];
  text: string;
  hideSystem: boolean;
  /** The day from which on one looks back, as YYYY-MM-DD. */
  until: string;
}

export const EVERYTHING: Choice = { groups: [], types: [], sources: [], actorIds: [], text: '', hideSystem: false, until: '' };

export function filterOf({ groups, types, sources, actorIds, text, hideSystem, until }: Choice): ActivityFilter {
  const filter: ActivityFilter = {};
  if (groups.length) filter.groups = groups;
  if (types.length) filter.types = types;
  if (sources.length) filter.sources = sources;
  if (actorIds.length) filter.actorIds = actorIds;
  if (text.trim()) filter.text = text.trim();
  if (hideSystem) filter.hideSystem = true;
  if (until) {
    const next = new Date(`${until}T00:00`);
    next.setDate(next.getDate() + 1);
    filter.occurredAt = { to: next.toISOString() };
  }
  return filter;
}

export const isNarrowed = (choice: Choice): boolean => Object.keys(filterOf(choice)).length > 0;
