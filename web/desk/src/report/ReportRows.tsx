import { Button, Table, Title } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { useQuery } from 'urql';

import { type ReportFilter, ReportRowsDocument, type ReportRowsQuery } from '../generated/graphql';
import { addressOf } from '../route';
import { useWords } from '../words';

type Row = NonNullable<NonNullable<NonNullable<ReportRowsQuery['customerServiceReport']>['details']>['nodes'][number]>;

/** The events that a total counts. Focus goes to their heading, so that one who does not see it knows that they are there. */
export function ReportRows({ filter, types, title }: { filter: ReportFilter; types: string[] | null; title: string }) {
  const { t, format } = useWords();
  const heading = useRef<HTMLHeadingElement>(null);
  const [after, setAfter] = useState<string | null>(null);
  const [rows, setRows] = useState<Row[]>([]);
  const [{ data, fetching }] = useQuery({ query: ReportRowsDocument, variables: { filter, types, after } });
  const page = data?.customerServiceReport?.details;

  useEffect(() => heading.current?.focus(), []);
  useEffect(() => {
    const read = (page?.nodes ?? []).filter((row) => row !== null);
    setRows((was) => [...was, ...read.filter(({ id }) => !was.some((row) => row.id === id))]);
  }, [page]);

  return (
    <section aria-label={t.rowsOf(title)}>
      <Title order={2} size="h4" mt="md" tabIndex={-1} ref={heading}>{t.rowsOf(title)}</Title>
      <div className="rows-table" tabIndex={0} role="region" aria-label={title}>
        <Table fz="sm">
          <Table.Tbody>
            {rows.map((row) => (
              <Table.Tr key={row.id} data-row={row.id}>
                <Table.Td>{format.dateTime(row.occurredAt)}</Table.Td>
                <Table.Td>{row.customer && <a href={addressOf(row.customer.number, row.id)} dir="auto">{row.customer.name}</a>}</Table.Td>
                <Table.Td>{row.title}</Table.Td>
                <Table.Td>{row.actor.name}</Table.Td>
                <Table.Td dir="auto">{row.message}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      {page?.pageInfo.hasNextPage && (
        <Button mt="sm" variant="default" loading={fetching} onClick={() => setAfter(page.pageInfo.endCursor)}>{t.moreRows}</Button>
      )}
    </section>
  );
}
