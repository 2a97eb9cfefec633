import { Button, Group, Table, Text } from '@mantine/core';
import { Suspense, lazy, useEffect, useState } from 'react';
import { useClient, useQuery } from 'urql';

import { ProblemScreen } from '../ProblemScreen';
import { type BalanceFragment, LedgerDocument, type LedgerRowFragment, WhyDocument } from '../generated/graphql';
import { problemOf } from '../problems';
import { useWords } from '../words';

const PointsChart = lazy(() => import('./PointsChart'));

/** The balance, and how it came about: what each entry left, what expires when, and whether the sums agree. */
export default function Points({ customerId, balance }: { customerId: string; balance: BalanceFragment }) {
  const { t, format } = useWords();
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Text size="sm">
        {t.balance(balance.spendable, balance.earned, balance.spent, balance.expired)}
        {balance.reserved > 0 && ` ${t.reserved(balance.reserved)}`}
        {balance.pending > 0 && ` ${t.pendingPoints(balance.pending)}`}
        {balance.owed > 0 && ` ${t.owes(balance.owed)}.`}
      </Text>
      {balance.nextExpiry && <Text size="sm">{t.expires(balance.nextExpiry.points, format.date(balance.nextExpiry.expiresAt))}</Text>}
      {!isOpen && <Button size="compact-xs" variant="default" mt="xs" onClick={() => setOpen(true)}>{t.showLedger}</Button>}
      {isOpen && <Ledger customerId={customerId} spendable={balance.spendable} />}
    </>
  );
}

function Ledger({ customerId, spendable }: { customerId: string; spendable: number }) {
  const { t, format } = useWords();
  const client = useClient();
  const [entries, setEntries] = useState<LedgerRowFragment[]>([]);
  const [after, setAfter] = useState<string | null>(null);
  const [{ data, error, fetching }, again] = useQuery({
    query: LedgerDocument, variables: { id: customerId, after }, requestPolicy: 'cache-and-network',
  });
  const [why, setWhy] = useState<string>();
  const customer = data?.node && 'pointsHistory' in data.node ? data.node : undefined;
  const page = customer?.pointsHistory;

  useEffect(() => setAfter(null), [spendable]); // the newest is on the first page
  useEffect(() => {
    const rows = (page?.nodes ?? []).filter((row) => row !== null);
    setEntries((was) => (after ? [...was, ...rows.filter(({ id }) => !was.some((row) => row.id === id))] : rows));
  }, [page, after]);

  async function check() {
    const { data } = await client.query(WhyDocument, { id: customerId }, { requestPolicy: 'network-only' }).toPromise();
    const audit = data?.node && 'points' in data.node ? data.node.points?.audit : undefined;
    if (audit) setWhy(audit.ok ? t.sumsAgree(audit.entries) : t.sumsDiffer(audit.drift));
  }

  if (error && !customer) return <ProblemScreen problem={problemOf(error)} onRetry={again} />;
  return (
    <div>
      {entries.length > 1 && <Suspense><PointsChart entries={entries} /></Suspense>}
      {customer?.points?.expiries && customer.points.expiries.length > 0 && (
        <ul className="buckets" aria-label={t.buckets}>
          {customer.points.expiries.map(({ points, expiresAt }) => <li key={expiresAt}>{t.pointsAt(points, format.date(expiresAt))}</li>)}
        </ul>
      )}
      <div className="ledger" tabIndex={0} role="region" aria-label={t.ledger}>
        <Table fz="xs" aria-label={t.ledger}>
          <Table.Thead>
            <Table.Tr><Table.Th>{t.day}</Table.Th><Table.Th>{t.what}</Table.Th><Table.Th ta="right">{t.points}</Table.Th><Table.Th ta="right">{t.balanceAfter}</Table.Th></Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {entries.map((entry) => (
              <Table.Tr key={entry.id}>
                <Table.Td>{format.date(entry.occurredAt)}</Table.Td>
                <Table.Td>{t.pointsKinds[entry.kind]}{entry.reason && `: ${entry.reason}`}<br /><span className="dim">{entry.actor.name}</span></Table.Td>
                <Table.Td ta="right">{format.signed(entry.points)}</Table.Td>
                <Table.Td ta="right">{format.number(entry.balanceAfter)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      <Group mt="xs">
        {page?.pageInfo.hasNextPage && (
          <Button size="compact-xs" variant="default" loading={fetching} onClick={() => setAfter(page.pageInfo.endCursor)}>{t.older}</Button>
        )}
        <Button size="compact-xs" variant="default" onClick={check}>{t.why}</Button>
        <Text size="sm" role="status">{why}</Text>
      </Group>
    </div>
  );
}
