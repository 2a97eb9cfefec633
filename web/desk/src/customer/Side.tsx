import { Button, Group, Paper, Text, Title } from '@mantine/core';
import { type ReactNode, Suspense, lazy, useState } from 'react';

import type { AskedFragment, CouponRowFragment, EntryFragment, PaidFragment } from '../generated/graphql';
import { useWords } from '../words';
import type { Customer, Me } from './CustomerPage';

const Points = lazy(() => import('./Points'));
const RedeemDialog = lazy(() => import('../actions/RedeemDialog'));
const RefundDialog = lazy(() => import('../actions/RefundDialog'));

interface Props {
  customer: Customer;
  me: Me;
  onDone: (made: EntryFragment | null | undefined) => void;
}

/** All that hangs on the customer beside what happened. A list that this viewer may not read is not there. */
export function Side({ customer, me, onDone }: Props) {
  const { t, format } = useWords();
  const [refunding, setRefunding] = useState<PaidFragment>();
  const [redeeming, setRedeeming] = useState<CouponRowFragment>();
  const may = (permission: NonNullable<Me>['permissions'][number]) => me?.permissions.includes(permission) ?? false;
  const requests = [...(customer.requests?.nodes ?? [])].filter((each) => each !== null)
    .sort((one, other) => Number(other.open) - Number(one.open));

  return (
    <aside aria-label={t.side} className="side">
      {customer.requests && (
        <Panel title={t.requests} count={customer.requests.totalCount}>
          {requests.map((each) => <RequestLine key={each.id} asked={each} />)}
        </Panel>
      )}
      {customer.points && (
        <Panel title={t.points}>
          <Suspense fallback={<Text size="sm">{t.loading}</Text>}><Points customerId={customer.id} balance={customer.points} /></Suspense>
        </Panel>
      )}
      {customer.coupons && (
        <Panel title={t.coupons} count={customer.coupons.totalCount}>
          {customer.coupons.nodes.map((each) => each && (
            <Line key={each.id} name={each.id}>
              <span><strong>{each.value}</strong> {each.code}<br />
                <Text component="span" size="xs" className="dim">
                  {each.redeemed ? t.redeemedAt(each.redeemedAt ? format.date(each.redeemedAt) : '')
                    : each.expiresAt ? t.until(format.date(each.expiresAt)) : t.unlimited}
                </Text>
              </span>
              {!each.redeemed && may('REDEEM_COUPON') && (
                <Button size="compact-xs" variant="default" onClick={() => setRedeeming(each)} aria-label={t.redeemOf(each.value, each.code ?? '')}>
                  {t.actions.redeem}
                </Button>
              )}
            </Line>
          ))}
        </Panel>
      )}
      {customer.transactions && (
        <Panel title={t.transactions} count={customer.transactions.totalCount}>
          {customer.transactions.nodes.map((each) => each && (
            <Line key={each.id} name={each.id}>
              <span>{each.number} · {t.transactionTypes[each.type]} {each.amount && <strong>{format.money(each.amount)}</strong>}<br />
                <Text component="span" size="xs" className="dim">{format.date(each.occurredAt)} · {t.transactionStatuses[each.status]}</Text>
              </span>
              {each.refundable && Number(each.refundable.amount) > 0 && may('REQUEST_REFUND') && (
                <Button size="compact-xs" variant="default" onClick={() => setRefunding(each)} aria-label={t.refundOf(each.number)}>
                  {t.actions.refund}
                </Button>
              )}
            </Line>
          ))}
        </Panel>
      )}
      {customer.orders && (
        <Panel title={t.orders} count={customer.orders.totalCount}>
          {customer.orders.nodes.map((each) => each && (
            <Line key={each.id}>
              <span>{each.number} · {each.items.map(({ name }) => name).join(', ')}<br />
                <Text component="span" size="xs" className="dim">
                  {t.word(each.status)}{each.renewsAt && ` · ${t.renews(format.date(each.renewsAt))}`}
                </Text>
              </span>
            </Line>
          ))}
        </Panel>
      )}
      {customer.invoices && (
        <Panel title={t.invoices} count={customer.invoices.totalCount}>
          {customer.invoices.nodes.map((each) => each && (
            <Line key={each.id}>
              <span>{each.number} <strong>{format.money(each.amount)}</strong><br />
                <Text component="span" size="xs" className="dim">
                  {t.word(each.status)}{each.dueAt && !each.paidAt && ` · ${t.dueAt(format.date(each.dueAt))}`}
                </Text>
              </span>
            </Line>
          ))}
        </Panel>
      )}
      {customer.passes && (
        <Panel title={t.passes} count={customer.passes.totalCount}>
          {customer.passes.nodes.map((each) => each && (
            <Line key={each.id}><span>{t.passTypes[each.type]} {each.serialNumber} {each.reward}</span></Line>
          ))}
        </Panel>
      )}
      {customer.statusHistory && (
        <Panel title={t.statusHistory}>
          {customer.statusHistory.nodes.map((each) => each && (
            <Line key={each.id}>
              <span>{t.statuses[each.to]}{each.reason && `: ${each.reason}`}<br />
                <Text component="span" size="xs" className="dim">{format.dateTime(each.changedAt)}, {each.actor.name}</Text>
              </span>
            </Line>
          ))}
        </Panel>
      )}
      {customer.mergedFrom && customer.mergedFrom.length > 0 && (
        <Panel title={t.mergedFrom}>
          {customer.mergedFrom.map((each) => each && (
            <Line key={each.id}><a href={`#/customers/${each.number}`}>{each.number} {each.name}</a></Line>
          ))}
        </Panel>
      )}
      <Suspense>
        {redeeming && <RedeemDialog coupon={redeeming} customerId={customer.id} onClose={() => setRedeeming(undefined)} onDone={onDone} />}
        {refunding && <RefundDialog transaction={refunding} onClose={() => setRefunding(undefined)} onDone={onDone} />}
      </Suspense>
    </aside>
  );
}

function RequestLine({ asked }: { asked: AskedFragment }) {
  const { t, format } = useWords();
  const outcome = asked.outcomes.filter(({ decided }) => decided).at(-1);
  return (
    <Line name={asked.id}>
      <span data-request={asked.status}>
        <strong>{asked.title}</strong> {asked.amount && format.money(asked.amount)} · {t.word(asked.status)}
        {asked.overdue && ` · ${t.overdue}`}<br />
        <Text component="span" size="xs" className="dim">
          {format.dateTime(asked.requestedAt)}, {asked.requestedBy.name}{asked.reference && ` · ${asked.reference}`}
          {outcome?.message && ` · ${outcome.message}`}
        </Text>
      </span>
    </Line>
  );
}

function Panel({ title, count, children }: { title: string; count?: number | null; children: ReactNode }) {
  const { t, format } = useWords();
  return (
    <Paper withBorder p="sm" component="section" aria-label={title}>
      <Title order={2} size="h5">{title}{count !== undefined && count !== null && ` (${format.number(count)})`}</Title>
      {count === 0 ? <Text size="sm" className="dim">{t.none}</Text> : children}
    </Paper>
  );
}

const Line = ({ children, name }: { children: ReactNode; name?: string }) => (
  <Group justify="space-between" wrap="nowrap" gap="xs" className="line" data-row={name}>{children}</Group>
);
