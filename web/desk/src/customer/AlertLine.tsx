import { Alert } from '@mantine/core';
import type { ReactNode } from 'react';

import { useWords } from '../words';
import type { Customer } from './CustomerPage';

/** What has to be known before one says a word. Nothing is shown where there is nothing. */
export function AlertLine({ customer }: { customer: Customer }) {
  const { t, format } = useWords();
  const now = new Date().toISOString();
  const overdue = (customer.invoices?.nodes ?? []).filter((each) => each && !each.paidAt && each.dueAt && each.dueAt < now
    && Number(each.amountDue?.amount ?? 0) > 0);
  const open = (customer.requests?.nodes ?? []).filter((each) => each?.open);
  const alerts: ReactNode[] = [];

  if (customer.status !== 'ACTIVE') {
    const latest = customer.statusHistory?.nodes[0];
    alerts.push(latest?.reason ? t.statusAlert(t.statuses[customer.status], latest.reason) : t.statuses[customer.status]);
  }
  if (overdue.length) alerts.push(t.overdueInvoices(overdue.length));
  if (open.length) alerts.push(t.openRequests(open.length));
  if (customer.mergeInProgress) alerts.push(t.mergeInProgress);
  if (customer.points && customer.points.owed > 0) alerts.push(t.owes(customer.points.owed));
  for (const note of customer.pinnedNotes ?? []) {
    alerts.push(<span dir="auto">{t.pinned}: {note.message} ({note.author.name}, {format.date(note.createdAt)})</span>);
  }
  for (const { customer: other } of customer.possibleDuplicates ?? []) {
    if (other) alerts.push(<>{t.possibleDuplicate} <a href={`#/customers/${other.number}`}>{other.name}, {other.number}</a></>);
  }
  if (!alerts.length) return null;
  return (
    <Alert color="orange" my="sm" p="xs" role="region" aria-label={t.alerts}>
      <ul className="alerts">{alerts.map((alert, index) => <li key={index}>{alert}</li>)}</ul>
    </Alert>
  );
}
