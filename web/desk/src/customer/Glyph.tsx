import type { ActivityGroup } from '../generated/graphql';

/** Lines on a field of 16 by 16, our own. */
const LINES: Record<ActivityGroup, string> = {
  CUSTOMER: 'M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2.5 14c.6-3 2.8-4.5 5.5-4.5s4.9 1.5 5.5 4.5',
  ADDRESS: 'M2 8l6-5.5L14 8M4 6.5v7h8v-7',
  STATUS: 'M4 14V2.5h8l-2 3 2 3H4',
  SUBSCRIPTION: 'M13 8a5 5 0 1 1-1.5-3.6M13 2v3h-3',
  ORDER: 'M3 2.5h10v11H3zM5.5 6h5M5.5 8.5h5M5.5 11h3',
  FULFILLMENT: 'M1.5 4h8v7h-8zM9.5 6.5h3l2 2.5v2h-5M3.7 12a1 1 0 1 0 2 0 1 1 0 0 0-2 0M10.5 12a1 1 0 1 0 2 0 1 1 0 0 0-2 0',
  BILLING: 'M4 2h5.5l3 3v9H4zM9.5 2v3h3M6 8h4.5M6 10.5h4.5',
  PAYMENT: 'M1.5 3.5h13v9h-13zM1.5 6.5h13M4 10h2.5',
  REFUND: 'M6 3L2.5 6.5 6 10M2.5 6.5H10a3.5 3.5 0 0 1 0 7H7',
  CREDIT_CONTROL: 'M8 2l6.5 11.5h-13zM8 6.5v3M8 11.5v.1',
  EMAIL: 'M1.5 3.5h13v9h-13zM1.5 4L8 9l6.5-5',
  NOTE: 'M2.5 13.5l.7-3L11 2.7 13.3 5l-7.8 7.8zM9.5 4.2l2.3 2.3',
  POINTS: 'M8 1.8l1.9 4 4.3.6-3.1 3 .8 4.4L8 11.7l-3.9 2.1.8-4.4-3.1-3 4.3-.6z',
  COUPON: 'M1.5 4h13v2.5a1.5 1.5 0 0 0 0 3V12h-13V9.5a1.5 1.5 0 0 0 0-3zM9.5 6v4',
  TRANSACTION: 'M3 5.5h10l1 8.5H2zM5.5 7.5v-3a2.5 2.5 0 0 1 5 0v3',
  PASS: 'M4.5 1.5h7v13h-7zM7 12h2',
  MEMBERSHIP: 'M8 9.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM5.8 9l-1 5L8 12.3l3.2 1.7-1-5',
  COMPLIANCE: 'M8 1.5l5 2v4c0 3.4-2.2 5.8-5 7-2.8-1.2-5-3.6-5-7v-4zM5.7 8l1.7 1.7 3-3.2',
  REQUEST: 'M14 2L1.8 6.8 6.5 9zM14 2L9.3 14 6.5 9',
  OTHER: 'M8 8v.1M4 8v.1M12 8v.1',
};

/** A sign for each group. It is decoration: the tile's text says it all. */
export const Glyph = ({ group }: { group: ActivityGroup }) => (
  <svg className="glyph" viewBox="0 0 16 16" aria-hidden><path d={LINES[group]} /></svg>
);
