import { Button, Group, MultiSelect, SimpleGrid, Switch, Table, Text, TextInput, Title } from '@mantine/core';
import { Suspense, lazy, useEffect, useMemo, useState } from 'react';
import { useQuery } from 'urql';

import { ProblemScreen } from '../ProblemScreen';
import { useChange } from '../actions/useChange';
import { ExportReportDocument, ReportChoicesDocument, type ReportDimension, ReportDocument, type ReportFilter } from '../generated/graphql';
import { ExportFile } from '../lists/ExportFile';
import { problemOf } from '../problems';
import { useWords } from '../words';
import { ReportRows } from './ReportRows';

const ReportChart = lazy(() => import('./ReportChart'));
const DAYS = 90;

const dayOf = (time: Date): string => new Intl.DateTimeFormat('sv', { dateStyle: 'short' }).format(time);

/** What people did on all accounts: two summaries, each total of which opens its rows. */
export default function ReportPage() {
  const { t, format } = useWords();
  const [from, setFrom] = useState(() => dayOf(new Date(Date.now() - DAYS * 86_400_000)));
  const [to, setTo] = useState(() => dayOf(new Date()));
  const [users, setUsers] = useState<string[]>([]);
  const [campaigns, setCampaigns] = useState<string[]>([]);
  const [callCenters, setCallCenters] = useState<string[]>([]);
  const [hideSystem, setHideSystem] = useState(true);
  const [types, setTypes] = useState<string[]>();
  const [exportId, setExportId] = useState<string>();
  const exporting = useChange(ExportReportDocument, (data) => data.exportReport);

  const filter = useMemo((): ReportFilter => {
    const end = new Date(`${to}T00:00`);
    end.setDate(end.getDate() + 1);
    return {
      occurredAt: { from: new Date(`${from}T00:00`).toISOString(), to: end.toISOString() },
      hideSystem,
      ...(users.length && { users }),
      ...(campaigns.length && { campaigns }),
      ...(callCenters.length && { callCenters }),
    };
  }, [from, to, users, campaigns, callCenters, hideSystem]);
  const [{ data, error, fetching }, again] = useQuery({ query: ReportDocument, variables: { filter } });
  const report = data?.customerServiceReport;
  useEffect(() => setTypes(undefined), [filter]);

  async function exportRows() {
    const made = await exporting.send({ table: 'DETAILS', filter: types ? { ...filter, types } : filter, format: 'CSV' });
    if (made?.export) setExportId(made.export.id);
  }

  return (
    <div className="page">
      <Title order={1} size="h2">{t.report}</Title>
      <Group align="flex-end" gap="sm" my="sm" className="fields">
        <TextInput type="date" label={t.from} value={from} onChange={(event) => event.currentTarget.value && setFrom(event.currentTarget.value)} />
        <TextInput type="date" label={t.to} value={to} onChange={(event) => event.currentTarget.value && setTo(event.currentTarget.value)} />
        <Choices dimension="USER" label={t.user} value={users} onChange={setUsers} />
        <Choices dimension="CAMPAIGN" label={t.campaigns} value={campaigns} onChange={setCampaigns} />
        <Choices dimension="CALL_CENTER" label={t.callCenters} value={callCenters} onChange={setCallCenters} />
        <Switch label={t.hideSystem} checked={hideSystem} onChange={(event) => setHideSystem(event.currentTarget.checked)} mb={8} />
        <Button variant="default" onClick={exportRows} loading={exporting.isPending}>{t.exportCsv}</Button>
        {exportId && <ExportFile id={exportId} />}
      </Group>
      {exporting.errors.map(({ message }) => <Text key={message} role="alert" className="wrong">{message}</Text>)}
      {error && !report && <ProblemScreen problem={problemOf(error)} onRetry={() => again({ requestPolicy: 'network-only' })} />}
      {fetching && <Text size="sm" role="status">{t.loading}</Text>}
      {report && (
        <>
          <Suspense><ReportChart days={report.days ?? []} from={filter.occurredAt.from!} to={filter.occurredAt.to!} /></Suspense>
          <SimpleGrid cols={{ base: 1, lg: 2 }}>
            <section aria-label={t.actionsDone}>
              <Title order={2} size="h4">{t.actionsDone}</Title>
              <Table fz="sm">
                <Table.Tbody>
                  <Table.Tr>
                    <Table.Th scope="row">{t.total}</Table.Th>
                    <Table.Td ta="right">
                      <Button size="compact-sm" variant="default" data-total="all" onClick={() => setTypes([])}>{format.number(report.total ?? 0)}</Button>
                    </Table.Td>
                  </Table.Tr>
                  {(report.actions ?? []).map(({ type, title, total }) => (
                    <Table.Tr key={type}>
                      <Table.Th scope="row" fw={400}>{title}</Table.Th>
                      <Table.Td ta="right">
                        <Button
                          size="compact-sm" variant="default" data-total={type} aria-label={`${title}: ${format.number(total)}`}
                          onClick={() => setTypes([type])}
                        >
                          {format.number(total)}
                        </Button>
                      </Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </section>
            <section aria-label={t.customFields}>
              <Title order={2} size="h4">{t.customFields}</Title>
              <Table fz="sm">
                <Table.Thead>
                  <Table.Tr><Table.Th>{t.user}</Table.Th><Table.Th>{t.field}</Table.Th><Table.Th>{t.value}</Table.Th><Table.Th ta="right">{t.total}</Table.Th></Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {(report.customFields ?? []).map((row) => (
                    <Table.Tr key={`${row.username} ${row.name} ${row.value}`}>
                      <Table.Td>{row.username}</Table.Td><Table.Td>{row.name}</Table.Td><Table.Td>{row.value}</Table.Td>
                      <Table.Td ta="right">{format.number(row.total)}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </section>
          </SimpleGrid>
          {types && (
            <ReportRows
              key={JSON.stringify([filter, types])} filter={filter} types={types.length ? types : null}
              title={report.actions?.find(({ type }) => type === types[0])?.title ?? t.allRows}
            />
          )}
        </>
      )}
    </div>
  );
}

interface ChoicesProps {
  dimension: ReportDimension;
  label: string;
  value: string[];
  onChange: (values: string[]) => void;
}

function Choices({ dimension, label, value, onChange }: ChoicesProps) {
  const [{ data }] = useQuery({ query: ReportChoicesDocument, variables: { dimension } });
  return <MultiSelect miw={160} label={label} data={data?.reportOptions?.values ?? []} value={value} onChange={onChange} searchable clearable />;
}
