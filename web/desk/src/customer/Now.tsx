import { Paper, SimpleGrid, Text, Title } from '@mantine/core';

import { useWords } from '../words';
import type { Customer } from './CustomerPage';

/** Money and points as they are now. A figure that this viewer may not read is left out. */
export function Now({ customer }: { customer: Customer }) {
  const { t, format } = useWords();
  const payment = (customer.transactions?.nodes ?? []).find((each) => each?.type === 'SALE' && each.amount);
  const { points, amountDue, nextRenewalAt } = customer;
  const figures: [label: string, value: string, name?: string][] = [];

  if (points) figures.push([t.points, format.number(points.spendable), 'spendable']);
  if (points?.nextExpiry) figures.push([t.nextExpiry, t.pointsAt(points.nextExpiry.points, format.date(points.nextExpiry.expiresAt))]);
  if (amountDue) figures.push([t.due, amountDue.length ? amountDue.map(format.money).join(', ') : t.nothingDue, 'due']);
  if (payment) figures.push([t.lastPayment, `${format.money(payment.amount!)}, ${format.date(payment.occurredAt)}`]);
  if (nextRenewalAt) figures.push([t.nextRenewal, format.date(nextRenewalAt), 'renewal']);
  for (const balance of customer.creditBalances ?? []) figures.push([t.credit, format.money(balance)]);
  return (
    <Paper withBorder p="sm" component="section" aria-label={t.now}>
      <Title order={2} size="h5">{t.now}</Title>
      <SimpleGrid cols={2} spacing="xs" component="dl" className="figures">
        {figures.map(([label, value, name]) => (
          <div key={label}>
            <Text component="dt" size="xs" className="dim">{label}</Text>
            <Text component="dd" fw={600} data-figure={name}>{value}</Text>
          </div>
        ))}
      </SimpleGrid>
    </Paper>
  );
}
