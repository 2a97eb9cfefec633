import { Button, Text } from '@mantine/core';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { flushSync } from 'react-dom';

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
  /** Makes the note that is being written be about this event. */
  onLink?: (entry: EntryFragment) => void;
}

type Row = { key: string; day: string; ids: string[] } | { key: string; entry: EntryFragment };

/** All that happened, newest first, under the heading of each day. Only what is near the window is in the page. */
export function Timeline({ timeline, opened, ...rest }: Props) {
  const { t, format } = useWords();
  const list = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set(opened ? [opened] : []));
  const { entries, hasMore, isLoading, more, fresh } = timeline;

  const rows = useMemo(() => {
    const rows: Row[] = [];
    let last: { day: string; ids: string[] } | undefined;
    for (const entry of entries) {
      const day = format.day(entry.occurredAt);
      if (day !== last?.day) {
        last = { day, ids: [] };
        rows.push({ key: `day ${entry.id}`, ...last });
      }
      last.ids.push(entry.id);
      rows.push({ key: entry.id, entry });
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
  const isPrinting = usePrinting();
  const items = virtualizer.getVirtualItems();
  const shown = isPrinting ? rows.map(({ key }, index) => ({ key, index, start: 0 })) : items;
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
  const setAll = (ids: string[], isOpen: boolean) =>
    setOpen((was) => {
      const now = new Set(was);
      for (const id of ids) {
        if (isOpen) now.add(id);
        else now.delete(id);
      }
      return now;
    });
  const tile = (entry: EntryFragment) => (
    <Tile entry={entry} isOpen={open.has(entry.id)} onToggle={() => toggle(entry.id)} {...rest} />
  );

  return (
    <div className="timeline">
      {fresh.length > 0 && (
        <Button className="fresh" size="xs" radius="xl" onClick={timeline.showFresh}>{t.fresh(fresh.length)}</Button>
      )}
      {isBeyond && <Linked id={opened} {...rest} />}
      {timeline.problem && <ProblemScreen problem={timeline.problem} onRetry={timeline.again} />}
      {entries.length === 0 && !isLoading && <Text p="md">{timeline.isFiltered ? t.nothingFound : t.nothingYet}</Text>}
      <div ref={list} role="group" aria-label={t.timeline} aria-busy={isLoading} style={{ height: virtualizer.getTotalSize() }} className="rows">
        {shown.map(({ key, index, start }) => {
          const row = rows[index]!;
          return (
            <div
              key={key} data-index={index} ref={virtualizer.measureElement} className="row"
              style={{ transform: `translateY(${start - top}px)` }}
            >
              {'day' in row ? <Day {...row} isOpen={row.ids.every((id) => open.has(id))} onOpen={setAll} /> : tile(row.entry)}
            </div>
          );
        })}
      </div>
      {isLoading && <Text size="sm" p="xs" role="status">{t.loading}</Text>}
    </div>
  );
}

/** Whether the page is being printed: then all that was loaded is in it. */
function usePrinting(): boolean {
  const [isPrinting, setPrinting] = useState(false);
  useEffect(() => {
    const begin = () => flushSync(() => setPrinting(true));
    const end = () => setPrinting(false);
    addEventListener('beforeprint', begin);
    addEventListener('afterprint', end);
    return () => {
      removeEventListener('beforeprint', begin);
      removeEventListener('afterprint', end);
    };
  }, []);
  return isPrinting;
}

/** The heading of a day, with a button for all of its tiles at once. */
function Day({ day, ids, isOpen, onOpen }: { day: string; ids: string[]; isOpen: boolean; onOpen: (ids: string[], isOpen: boolean) => void }) {
  const { t } = useWords();
  return (
    <div className="day">
      <h3>{day}</h3>
      {ids.length > 1 && (
        <Button
          size="compact-xs" variant="subtle" aria-label={isOpen ? t.closeAllOf(day) : t.openAllOf(day)} onClick={() => onOpen(ids, !isOpen)}
        >
          {isOpen ? t.closeAll : t.openAll}
        </Button>
      )}
    </div>
  );
}

/** An entry that a link names and that is not among those on the screen. */
function Linked({ id, ...rest }: Omit<Props, 'timeline' | 'opened'> & { id: string }) {
  const { t } = useWords();
  return (
    <div>
      <Text size="xs" className="dim">{t.linkedEntry}</Text>
      <TileOf id={id} isOpen onToggle={() => undefined} {...rest} />
    </div>
  );
}
