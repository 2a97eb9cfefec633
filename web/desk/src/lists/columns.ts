import type { CustomerOrderField, RowFragment } from '../generated/graphql';
import type { Words } from '../words/en';
import type { Format } from '../words/format';

export interface Column {
  label: (t: Words) => string;
  value: (row: RowFragment, t: Words, format: Format) => string;
  sort?: CustomerOrderField;
}

/** The columns by the names that a segment and an export know them by. */
export const COLUMNS: Record<string, Column> = {
  number: { label: (t) => t.orderFields.NUMBER, value: (row) => row.number, sort: 'NUMBER' },
  name: { label: (t) => t.orderFields.NAME, value: (row) => row.name, sort: 'NAME' },
  email: { label: (t) => t.matches.EMAIL, value: (row) => row.email ?? '' },
  country: { label: (t) => t.country, value: (row, _, format) => (row.country ? format.country(row.country) : '') },
  status: { label: (t) => t.status, value: (row, t) => t.statuses[row.status] },
  tags: { label: (t) => t.tags, value: (row) => row.tags.join(', ') },
  registeredAt: { label: (t) => t.orderFields.REGISTERED_AT, value: (row, _, format) => format.date(row.registeredAt), sort: 'REGISTERED_AT' },
  lastActivityAt: {
    label: (t) => t.orderFields.LAST_ACTIVITY_AT,
    value: (row, _, format) => (row.lastActivityAt ? format.date(row.lastActivityAt) : ''),
    sort: 'LAST_ACTIVITY_AT',
  },
  spendablePoints: {
    label: (t) => t.points,
    value: (row, _, format) => (row.points ? format.number(row.points.spendable) : ''),
    sort: 'SPENDABLE_POINTS',
  },
};

export const DEFAULT_COLUMNS = ['name', 'number', 'email', 'status', 'lastActivityAt', 'spendablePoints'];
