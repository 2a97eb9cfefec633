import { Button, Group, MultiSelect, Select, Table, Text, TextInput, Title, UnstyledButton } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useEffect, useState } from 'react';
import { useQuery } from 'urql';

import { useNotice } from '../Notice';
import { ProblemScreen } from '../ProblemScreen';
import { useChange } from '../actions/useChange';
import {
  CustomersDocument, type CustomerFilter, type CustomerOrder, type CustomerOrderField, type CustomerSegment, type CustomerStatus,
  ExportCustomersDocument, type RowFragment, SaveSegmentDocument, SegmentsDocument, StarSegmentDocument,
} from '../generated/graphql';
import { problemOf } from '../problems';
import { addressOf } from '../route';
import { useWords } from '../words';
import { ExportFile } from './ExportFile';
import { COLUMNS, type Column, DEFAULT_COLUMNS } from './columns';

const STATUSES: CustomerStatus[] = ['ACTIVE', 'BLOCKED', 'DEACTIVATED', 'ANONYMISED', 'MERGED'];
const SEGMENTS: CustomerSegment[] = ['CUSTOMERS', 'LEADS'];

/** Customers as a table: whom, which columns, in which order; and all of it saved under a name. */
export default function ListsPage() {
  const { t, format } = useWords();
  const notice = useNotice();
  const [filter, setFilter] = useState<CustomerFilter>({});
  const [order, setOrder] = useState<CustomerOrder>({ field: 'NAME', direction: 'ASC' });
  const [columns, setColumns] = useState<string[]>(DEFAULT_COLUMNS);
  const [after, setAfter] = useState<string | null>(null);
  const [rows, setRows] = useState<RowFragment[]>([]);
  const [segmentId, setSegmentId] = useState<string | null>(null);
  const [name, setName] = useState('');
  const [exportId, setExportId] = useState<string>();
  const [wanted] = useDebouncedValue(filter, 250);

  const [{ data, error, fetching }, again] = useQuery({
    query: CustomersDocument, variables: { first: 50, after, filter: wanted, orderBy: order }, requestPolicy: 'cache-and-network',
  });
  const [{ data: known }, readSegments] = useQuery({ query: SegmentsDocument });
  const save = useChange(SaveSegmentDocument, (data) => data.createSegment);
  const star = useChange(StarSegmentDocument, (data) => data.starSegment);
  const exporting = useChange(ExportCustomersDocument, (data) => data.exportCustomers);
  const segments = (known?.segments?.nodes ?? []).filter((each) => each !== null);
  const segment = segments.find(({ id }) => id === segmentId);
  const page = data?.customers;

  useEffect(() => setAfter(null), [wanted, order]);
  useEffect(() => {
    const read = (page?.nodes ?? []).filter((row) => row !== null);
    setRows((was) => (after ? [...was, ...read.filter(({ id }) => !was.some((row) => row.id === id))] : read));
  }, [page, after]);

  function choose(id: string | null) {
    setSegmentId(id);
    const chosen = segments.find((each) => each.id === id);
    setFilter((chosen?.filter ?? {}) as CustomerFilter);
    setColumns(chosen?.columns?.filter((column) => column in COLUMNS) ?? DEFAULT_COLUMNS);
    if (chosen?.orderBy) setOrder(chosen.orderBy);
  }

  async function saveSegment() {
    const made = await save.send({ name, filter, columns, orderBy: order });
    if (!made?.segment) return;
    notice(t.segmentSaved(name));
    setName('');
    readSegments({ requestPolicy: 'network-only' });
    setSegmentId(made.segment.id);
  }

  async function exportRows() {
    const made = await exporting.send({ format: 'CSV', filter, orderBy: order, columns: ['number', ...columns.filter((each) => each !== 'number')] });
    if (made?.export) setExportId(made.export.id);
  }

  const sortBy = (field: CustomerOrderField) =>
    setOrder({ field, direction: order.field === field && order.direction === 'ASC' ? 'DESC' : 'ASC' });

  return (
    <div className="page">
      <Title order={1} size="h2">{t.lists}</Title>
      <Group align="flex-end" gap="sm" my="sm" className="fields">
        <Select
          label={t.segment} placeholder={t.everybody} clearable value={segmentId} onChange={choose}
          data={segments.map(({ id, name, starred }) => ({ value: id, label: starred ? `★ ${name}` : name }))}
        />
        {segment && (
          <Button variant="default" aria-pressed={segment.starred} onClick={() => star.send({ segmentId: segment.id, starred: !segment.starred })}>
            {segment.starred ? t.unstar : t.star}
          </Button>
        )}
        <TextInput
          label={t.namePart} value={filter.name ?? ''}
          onChange={(event) => setFilter({ ...filter, name: event.currentTarget.value || undefined })}
        />
        <Select
          label={t.customerKind} placeholder={t.everybody} clearable value={filter.segment ?? null}
          data={SEGMENTS.map((value) => ({ value, label: t.segmentKinds[value] }))}
          onChange={(value) => setFilter({ ...filter, segment: (value as CustomerSegment | null) ?? undefined })}
        />
        <MultiSelect
          label={t.status} miw={160} value={filter.statuses ?? []} data={STATUSES.map((value) => ({ value, label: t.statuses[value] }))}
          onChange={(values) => setFilter({ ...filter, statuses: values.length ? (values as CustomerStatus[]) : undefined })}
        />
        <MultiSelect
          label={t.columns} value={columns} data={Object.entries(COLUMNS).map(([value, { label }]) => ({ value, label: label(t) }))}
          onChange={setColumns}
        />
      </Group>
      <Group gap="sm" mb="sm">
        <TextInput
          aria-label={t.segmentName} placeholder={t.segmentName} value={name} onChange={(event) => setName(event.currentTarget.value)}
          error={save.errorOf('name')}
        />
        <Button variant="default" onClick={saveSegment} disabled={!name.trim()} loading={save.isPending}>{t.saveSegment}</Button>
        <Button variant="default" onClick={exportRows} loading={exporting.isPending}>{t.exportCsv}</Button>
        {exportId && <ExportFile id={exportId} />}
        <Text size="sm" role="status">{page?.totalCount != null && t.customersFound(page.totalCount)}</Text>
      </Group>
      {[...save.otherErrors(['name']), ...exporting.otherErrors([])].map((text) => <Text key={text} role="alert" className="wrong">{text}</Text>)}
      {[save.problem, exporting.problem].map((problem, index) => problem && <ProblemScreen key={index} problem={problem} />)}
      {error && !page && <ProblemScreen problem={problemOf(error)} onRetry={() => again({ requestPolicy: 'network-only' })} />}
      <div className="rows-table" tabIndex={0} role="region" aria-label={t.lists}>
        <Table fz="sm" highlightOnHover>
          <Table.Thead>
            <Table.Tr>
              {columns.map((key) => <Head key={key} column={COLUMNS[key]!} order={order} onSort={sortBy} />)}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row) => (
              <Table.Tr key={row.id}>
                {columns.map((key) => (
                  <Table.Td key={key}>
                    {key === 'name' || key === 'number'
                      ? <a href={addressOf(row.number)} dir="auto">{COLUMNS[key]!.value(row, t, format)}</a>
                      : COLUMNS[key]!.value(row, t, format)}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      {page?.pageInfo.hasNextPage && (
        <Button mt="sm" variant="default" loading={fetching} onClick={() => setAfter(page.pageInfo.endCursor)}>{t.moreRows}</Button>
      )}
    </div>
  );
}

function Head({ column, order, onSort }: { column: Column; order: CustomerOrder; onSort: (field: CustomerOrderField) => void }) {
  const { t } = useWords();
  const label = column.label(t);
  const { sort } = column;
  if (!sort) return <Table.Th>{label}</Table.Th>;
  const direction = order.field === sort ? (order.direction === 'ASC' ? 'ascending' : 'descending') : 'none';
  return (
    <Table.Th aria-sort={direction}>
      <UnstyledButton fw={700} fz="sm" onClick={() => onSort(sort)} aria-label={t.sortBy(label)}>
        {label} <span aria-hidden>{direction === 'none' ? '' : direction === 'ascending' ? '▲' : '▼'}</span>
      </UnstyledButton>
    </Table.Th>
  );
}
