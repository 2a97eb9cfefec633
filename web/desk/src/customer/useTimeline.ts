import { useCallback, useEffect, useRef, useState } from 'react';
import { useClient } from 'urql';

import { type ActivityFilter, type EntryFragment, TimelineDocument } from '../generated/graphql';
import { type Problem, problemOf } from '../problems';

const PAGE = 100;

interface Pages {
  entries: EntryFragment[];
  endCursor: string | null;
  hasMore: boolean;
  totalCount: number | null;
}

export interface FirstPage {
  totalCount: number | null;
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
  nodes: (EntryFragment | null)[];
}

const present = (nodes: FirstPage['nodes']): EntryFragment[] => nodes.filter((node) => node !== null);

const pagesOf = (page: FirstPage): Pages => ({
  entries: present(page.nodes),
  endCursor: page.pageInfo.endCursor,
  hasMore: page.pageInfo.hasNextPage,
  totalCount: page.totalCount,
});

/** The entries that are on the screen: the first page came with the customer, the others as one scrolls.
 *
 * They are kept here rather than joined in the cache, which would read ten thousand rows again for each page.
 */
export function useTimeline(customerId: string, first: FirstPage, filter: ActivityFilter, isFiltered: boolean) {
  const client = useClient();
  const [pages, setPages] = useState(() => pagesOf(first));
  const [fresh, setFresh] = useState<EntryFragment[]>([]);
  const [problem, setProblem] = useState<Problem>();
  const [isLoading, setLoading] = useState(false);
  const run = useRef(0);
  const key = JSON.stringify(filter);
  const list = `${customerId} ${key}`; // an open customer who is merged away becomes another one
  const shown = useRef(isFiltered ? '' : list);

  const read = useCallback(
    async (after: string | null) => {
      const own = ++run.current;
      setLoading(true);
      const variables = { id: customerId, first: PAGE, after, filter: JSON.parse(key) as ActivityFilter };
      const { data, error } = await client.query(TimelineDocument, variables, { requestPolicy: 'network-only' }).toPromise();
      if (own !== run.current) return; // another filter was chosen meanwhile
      setLoading(false);
      setProblem(error && problemOf(error));
      const page = data?.node && 'activities' in data.node ? data.node.activities : null;
      if (!page) return;
      shown.current = list;
      const read = pagesOf(page as FirstPage);
      setPages((was) => (after ? { ...read, entries: [...was.entries, ...read.entries] } : read));
      if (!after) setFresh([]);
    },
    [client, customerId, key, list],
  );

  useEffect(() => {
    if (shown.current !== list) void read(null);
  }, [list, read]);

  const add = useCallback((entry: EntryFragment) => {
    setFresh((was) => was.filter(({ id }) => id !== entry.id));
    setPages((was) =>
      was.entries.some(({ id }) => id === entry.id)
        ? was
        : { ...was, entries: [entry, ...was.entries], totalCount: was.totalCount === null ? null : was.totalCount + 1 },
    );
  }, []);

  /** Keeps what came in meanwhile apart, so that nothing moves under the reader's eyes. */
  const hear = useCallback(
    (entry: EntryFragment) =>
      setPages((was) => {
        if (was.entries.some(({ id }) => id === entry.id)) return was;
        setFresh((others) => [entry, ...others.filter(({ id }) => id !== entry.id)]);
        return was;
      }),
    [],
  );

  const replace = useCallback(
    (entry: EntryFragment) =>
      setPages((was) => ({ ...was, entries: was.entries.map((each) => (each.id === entry.id ? entry : each)) })),
    [],
  );

  const showFresh = useCallback(() => {
    if (isFiltered) return void read(null); // whether it belongs here, the gateway knows
    setPages((was) => ({
      ...was,
      entries: [...fresh, ...was.entries],
      totalCount: was.totalCount === null ? null : was.totalCount + fresh.length,
    }));
    setFresh([]);
  }, [fresh, isFiltered, read]);

  return {
    ...pages,
    isFiltered,
    fresh,
    problem,
    isLoading,
    add,
    hear,
    replace,
    showFresh,
    more: useCallback(() => void read(pages.endCursor), [read, pages.endCursor]),
    again: useCallback(() => void read(null), [read]),
  };
}
