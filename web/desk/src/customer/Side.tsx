import { Button, Text } from '@mantine/core';
import { Fragment, type ReactNode, Suspense, lazy, useState } from 'react';

import type { AccessLevel, AskedFragment, CouponRowFragment, EntryFragment, PaidFragment } from '../generated/graphql';
import { addressOf } from '../route';
import { useWords } from '../words';
import type { Customer, Me } from './CustomerPage';
import { Line, Panel } from './Panel';
import { Aml, DueDiligence, Fields, Instruments, Kyc, LeadSource, TaxIds } from './Papers';
import { statusOf } from './statusOf';

const Points = lazy(() => import('./Points'));
const RedeemDialog = lazy(() => import('../actions/RedeemDialog'));
const RefundDialog = lazy(() => import('../actions/RefundDialog'));

interface Props {
  customer: Customer;
  me: Me;
  onDone: (made: EntryFragment | null | undefined) => void;
}

const ORDER = [
  'fields', 'requests', 'points', 'coupons', 'transactions', 'orders', 'invoices', 'instruments', 'passes', 'statusHistory', 'kyc', 'aml',
  'dueDiligence', 'taxIds', 'leadSource', 'mergedFrom',
] as const;
type Name = (typeof ORDER)[number];

/** What a role works with comes first, in this order; then all others. */
const FIRST: Partial<Record<AccessLevel, Name[]>> = {
  CUSTOMER_SERVICE_AGENT: ['requests', 'coupons', 'passes'],
  FINANCE: ['invoices', 'instruments', 'requests', 'transactions'],
  SALES_REP: ['leadSource', 'orders', 'requests'],
};

/** All that hangs on the customer beside what happened. A list that this viewer may not read is not there. */
export function Side({ customer, me, onDone }: Props) {
  const { t, format } = useWords();
  const [refunding, setRefunding] = useState<PaidFragment>();
  const [redeeming, setRedeeming] = useState<CouponRowFragment>();
  const may = (permission: NonNullable<Me>['permissions'][number]) => me?.permissions.includes(permission) ?? false;
  const roles = me?.roles ?? [];
  const order = new Set<Name>([...roles.flatMap((role) => FIRST[role] ?? []), ...ORDER]);
  const length = (list: { nodes: unknown[] } | null) => list?.nodes.length;
  const lengths: Partial<Record<Name, number>> = {
    requests: length(customer.requests), coupons: length(customer.coupons), transactions: length(customer.transactions),
    orders: length(customer.orders), invoices: length(customer.invoices), instruments: length(customer.paymentInstruments),
    passes: length(customer.passes), statusHistory: length(customer.statusHistory), aml: length(customer.amlChecks),
    kyc: customer.kycDocuments ? customer.kycDocuments.nodes.length + (customer.kycRequests?.nodes.length ?? 0) : undefined,
    taxIds: customer.taxIds?.length,
  };
  const empty = [...order].filter((name) => lengths[name] === 0);
  // For staff, that there is nothing is an answer, too. Customers, and those who brought them, want to see what there is.
  const saysEmpty = roles.some((role) => role !== 'CUSTOMER' && role !== 'AFFILIATE');
  const requests = (customer.requests?.nodes ?? []).filter((each) => each !== null)
    .sort((one, other) => Number(other.open) - Number(one.open));

  const panels: Record<Name, ReactNode> = {
    fields: customer.fields && customer.fields.length > 0 && <Fields of={customer.fields} />,
    requests: customer.requests && (
      <Panel title={t.requests} count={customer.requests.totalCount}>
        {requests.map((each) => <RequestLine key={each.id} asked={each} />)}
      </Panel>
    ),
    points: customer.points && (
      <Panel title={t.points}>
        <Suspense fallback={<Text size="sm">{t.loading}</Text>}><Points customerId={customer.id} balance={customer.points} /></Suspense>
      </Panel>
    ),
    coupons: customer.coupons && (
      <Panel title={t.coupons} count={customer.coupons.totalCount}>
        {customer.coupons.nodes.map((each) => each && (
          <Line
            key={each.id} name={each.id}
            more={each.redeemed ? t.redeemedAt(each.redeemedAt ? format.date(each.redeemedAt) : '')
              : each.expiresAt ? t.until(format.date(each.expiresAt)) : t.unlimited}
            action={!each.redeemed && may('REDEEM_COUPON') && (
              <Button size="compact-xs" variant="default" onClick={() => setRedeeming(each)} aria-label={t.redeemOf(each.value, each.code ?? '')}>
                {t.actions.redeem}
              </Button>
            )}
          >
            <strong>{each.value}</strong> {each.code}
          </Line>
        ))}
      </Panel>
    ),
    transactions: customer.transactions && (
      <Panel title={t.transactions} count={customer.transactions.totalCount}>
        {customer.transactions.nodes.map((each) => each && (
          <Line
            key={each.id} name={each.id} more={`${format.date(each.occurredAt)} · ${t.transactionStatuses[each.status]}`}
            action={each.refundable && Number(each.refundable.amount) > 0 && may('REQUEST_REFUND') && (
              <Button size="compact-xs" variant="default" onClick={() => setRefunding(each)} aria-label={t.refundOf(each.number)}>
                {t.actions.refund}
              </Button>
            )}
          >
            {each.number} · {t.transactionTypes[each.type]} {each.amount && <strong>{format.money(each.amount)}</strong>}
          </Line>
        ))}
      </Panel>
    ),
    orders: customer.orders && (
      <Panel title={t.orders} count={customer.orders.totalCount}>
        {customer.orders.nodes.map((each) => each && (
          <Line key={each.id} more={<>{statusOf(t, each)}{each.renewsAt && ` · ${t.renews(format.date(each.renewsAt))}`}</>}>
            {each.number} · {each.items.map(({ name }) => name).join(', ')}
          </Line>
        ))}
      </Panel>
    ),
    invoices: customer.invoices && (
      <Panel title={t.invoices} count={customer.invoices.totalCount}>
        {customer.invoices.nodes.map((each) => each && (
          <Line key={each.id} more={<>{statusOf(t, each)}{each.dueAt && !each.paidAt && ` · ${t.dueAt(format.date(each.dueAt))}`}</>}>
            {each.number} <strong>{format.money(each.amount)}</strong>
          </Line>
        ))}
      </Panel>
    ),
    instruments: customer.paymentInstruments && <Instruments of={customer.paymentInstruments} />,
    passes: customer.passes && (
      <Panel title={t.passes} count={customer.passes.totalCount}>
        {customer.passes.nodes.map((each) => each && (
          <Line key={each.id} more={each.reward}>{t.passTypes[each.type]} {each.serialNumber}</Line>
        ))}
      </Panel>
    ),
    statusHistory: customer.statusHistory && (
      <Panel title={t.statusHistory}>
        {customer.statusHistory.nodes.map((each) => each && (
          <Line key={each.id} more={`${format.dateTime(each.changedAt)}, ${each.actor.name}`}>
            {t.statuses[each.to]}{each.reason && `: ${each.reason}`}
          </Line>
        ))}
      </Panel>
    ),
    kyc: customer.kycRequests && customer.kycDocuments && <Kyc requests={customer.kycRequests} documents={customer.kycDocuments} />,
    aml: customer.amlChecks && <Aml of={customer.amlChecks} />,
    dueDiligence: customer.dueDiligence && <DueDiligence of={customer.dueDiligence} />,
    taxIds: customer.taxIds && <TaxIds of={customer.taxIds} />,
    leadSource: customer.leadSource && <LeadSource of={customer.leadSource} />,
    mergedFrom: customer.mergedFrom && customer.mergedFrom.length > 0 && (
      <Panel title={t.mergedFrom}>
        {customer.mergedFrom.map((each) => each && (
          <Line key={each.id}><a href={addressOf(each.number)}>{each.number} {each.name}</a></Line>
        ))}
      </Panel>
    ),
  };

  return (
    <aside aria-label={t.side} className="side">
      {[...order].filter((name) => lengths[name] !== 0).map((name) => <Fragment key={name}>{panels[name]}</Fragment>)}
      {saysEmpty && empty.length > 0 && <Text size="sm" className="dim">{t.nothingOf(format.list(empty.map((name) => t[name])))}</Text>}
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
    <Line
      name={asked.id}
      more={[`${format.dateTime(asked.requestedAt)}, ${asked.requestedBy.name}`, asked.reference, outcome?.message].filter(Boolean).join(' · ')}
    >
      <span data-request={asked.status}>
        <strong>{asked.title}</strong> {asked.amount && format.money(asked.amount)} · {t.word(asked.status)}
        {asked.overdue && ` · ${t.overdue}`}
      </span>
    </Line>
  );
}
