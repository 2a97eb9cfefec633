import type { ActivityGroup } from '../generated/graphql';

/** A sign for each group, of the fonts that every system has. It is decoration: the tile's text says it all. */
export const GLYPHS: Record<ActivityGroup, string> = {
  CUSTOMER: '☺', ADDRESS: '⌂', STATUS: '⚑', SUBSCRIPTION: '↻', ORDER: '▤', FULFILLMENT: '➔', BILLING: '§', PAYMENT: '¤',
  REFUND: '↩', CREDIT_CONTROL: '!', EMAIL: '✉', NOTE: '✎', POINTS: '★', COUPON: '%', TRANSACTION: '¤', PASS: '▣',
  MEMBERSHIP: '◆', COMPLIANCE: '✓', REQUEST: '?', OTHER: '•',
};
