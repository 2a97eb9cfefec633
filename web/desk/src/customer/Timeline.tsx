import { Button, Text } from '@mantine/core';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';

import { ProblemScreen } from '../ProblemScreen';
import type { EntryFragment } from '../generated/graphql';
import { useWords } from '../words';
import type { Me } from './CustomerPage';
import { Tile, TileOf } from './Tile';
import type { useTimeline } from './useTimeline';

interface Props {
  timeline: ReturnType<typeof useTimeline>;
  number: string;
  /** The id of the entry that the address names. */
  opened?: string;
  me: Me;
  onDone: (made: EntryFragment | null | undefined) => void;
}

type Row = { key: string; day: string } | { key: string; entry: EntryFragment };

/** All that happened, newest first, under the heading of each day. Only what is near the window is in the page. */
export function Timeline({ timeline, number, opened, me, onDone }: Props) {
  const { t, format } = useWords();
  const list = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set(opened ? [opened] : []));
  const { entries, hasMore, isLoading, more, fresh } = timeline;

  const rows = useMemo(() => {
    const rows: Row[] = [];
    let last = '';
    for (const entry of entries) {
      const day = format.day(entry.occurredAt);
      if (day !== last) rows.push({ key: `day ${entry.id}`, day });
      rows.push({ key: entry.id, entry });
      last = day;
    }
    return rows;
  }, [entries, format]);

  const virtualizer = useWindowVirtualizer({
    count: rows.length,
    estimateSize: (index) => ('day' in rows[index]! ? 36 : 62),
    overscan: 8,
    scrollMargin: top,
    getItemKey: (index) => rows[index]!.key,
  });
  const items = virtualizer.getVirtualItems();
  const end = items.at(-1)?.index ?? 0;

  useLayoutEffect(() => {
    const measured = list.current ? Math.round(list.current.getBoundingClientRect().top + scrollY) : 0;
    if (measured !== top) setTop(measured);
  });
  useEffect(() => {
    if (hasMore && !isLoading && end >= rows.length - 20) more();
  }, [end, hasMore, isLoading, more, rows.length]);
  useEffect(() => {
    if (!opened) return;
    setOpen((was) => new Set(was).add(opened));
    const index = rows.findIndex(({ key }) => key === opened);
    if (index >= 0) virtualizer.scrollToIndex(index, { align: 'center' });
    // eslint-disable-next-line -- once for each address: later pages must not scroll back to it
  }, [opened]);

  const isBeyond = opened !== undefined && !entries.some(({ id }) => id === opened);
  const toggle = (id: string) =>
    setOpen((was) => {
      const now = new Set(was);
      if (!now.delete(id)) now.add(id);
      return now;
    });
  const tile = (entry: EntryFragment) => (
    <Tile entry={entry} number={number} isOpen={open.has(entry.id)} onToggle={() => toggle(entry.id)} me={me} onDone={onDone} />
  );

  return (
    <div className="timeline">
      {fresh.length > 0 && (
        <Button className="fresh" size="xs" radius="xl" onClick={timeline.showFresh}>{t.fresh(fresh.length)}</Button>
      )}
      {isBeyond && <Linked id={opened} number={number} me={me} onDone={onDone} />}
      {timeline.problem && <ProblemScreen problem={timeline.problem} onRetry={timeline.again} />}
      {entries.length === 0 && !isLoading && <Text p="md">{t.nothingFound}</Text>}
      <div ref={list} role="group" aria-label={t.timeline} aria-busy={isLoading} style={{ height: virtualizer.getTotalSize() }} className="rows">
        {items.map(({ key, index, start }) => {
          const row = rows[index]!;
          return (
            <div
              key={key} data-index={index} ref={virtualizer.measureElement} className="row"
              style={{ transform: `translateY(${start - top}px)` }}
            >
              {'day' in row ? <h3 className="day">{row.day}</h3> : tile(row.entry)}
            </div>
          );
        })}
      </div>
      {isLoading && <Text size="sm" p="xs" role="status">{t.loading}</Text>}
    </div>
  );
}

/** An entry that a link names and that is not among those on the screen. */
function Linked({ id, number, me, onDone }: { id: string; number: string; me: Me; onDone: Props['onDone'] }) {
  const { t } = useWords();
  return (
    <div>
      <Text size="xs" className="dim">{t.linkedEntry}</Text>
      <TileOf id={id} number={number} isOpen onToggle={() => undefined} me={me} onDone={onDone} />
    </div>
  );
}
