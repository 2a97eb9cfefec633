import { Alert, Anchor, Box, Button, Text } from '@mantine/core';
import { useDisclosure, useMediaQuery } from '@mantine/hooks';
import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useQuery } from 'urql';

import { ProblemScreen } from '../ProblemScreen';
import { Actions } from '../actions/Actions';
import { type CustomerPageQuery, type EntryFragment, CustomerPageDocument } from '../generated/graphql';
import { problemOf } from '../problems';
import { addressOf } from '../route';
import { useWords } from '../words';
import { AlertLine } from './AlertLine';
import { Composer } from './Composer';
import { Filters } from './Filters';
import { Identity } from './Identity';
import { LastEvents } from './LastEvents';
import { Now } from './Now';
import { Side } from './Side';
import { Timeline } from './Timeline';
import { type Choice, EVERYTHING, filterOf, isNarrowed } from './choice';
import { draftOf } from './drafts';
import { useColleagues, useLive } from './useLive';
import { type FirstPage, useTimeline } from './useTimeline';

export type Customer = NonNullable<CustomerPageQuery['customer']>;
export type Me = CustomerPageQuery['viewer'];
export type FieldDefinition = CustomerPageQuery['customerFields'][number];

const FIRST = 50;

export function CustomerPage({ number, entry }: { number: string; entry?: string }) {
  const { t } = useWords();
  const [{ data, error, fetching }, again] = useQuery({
    query: CustomerPageDocument,
    variables: { number, first: FIRST, filter: filterOf(EVERYTHING) },
  });
  const refresh = useCallback(() => again({ requestPolicy: 'network-only' }), [again]);
  const [known, setKnown] = useState<CustomerPageQuery>();
  if (data?.customer && data !== known) setKnown(data);
  useEffect(() => {
    if (!error) return;
    addEventListener('online', refresh);
    return () => removeEventListener('online', refresh);
  }, [error, refresh]);

  // Whoever writes here keeps what they wrote, though it could not be read again, unless they may not see it any more.
  const problem = error && problemOf(error);
  const page = data?.customer ? data : fetching || (problem && problem.kind !== 'forbidden') ? known : undefined;
  if (page?.customer) {
    return (
      <>
        {problem && <ProblemScreen problem={problem} onRetry={refresh} />}
        <Desk customer={page.customer} me={page.viewer} definitions={page.customerFields} entry={entry} onRefresh={refresh} />
      </>
    );
  }
  if (problem) return <ProblemScreen problem={problem} onRetry={refresh} />;
  if (fetching) return <Text p="md">{t.loading}</Text>;
  return <Alert m="md" title={t.noCustomer(number)}>{t.noCustomerAdvice}</Alert>;
}

interface Props {
  customer: Customer;
  me: Me;
  definitions: FieldDefinition[];
  entry?: string;
  onRefresh: () => void;
}

function Desk({ customer, me, definitions, entry, onRefresh }: Props) {
  const { t, format } = useWords();
  const [choice, setChoice] = useState<Choice>(EVERYTHING);
  const filter = useMemo(() => filterOf(choice), [choice]);
  const timeline = useTimeline(customer.id, customer.timeline as FirstPage, filter, isNarrowed(choice));
  const composer = useRef<HTMLTextAreaElement>(null);
  const viewer = me?.subject ?? '';
  const [links, setLinks] = useState<EntryFragment[]>(() => draftOf(viewer, customer.id)?.links ?? []);
  const isNarrow = useMediaQuery('screen and (width < 1000px)', false, { getInitialValueInEffect: false });
  const mayNote = me?.permissions.includes('ADD_NOTE') ?? false;

  // Several changes in a row make one request.
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const readSoon = useCallback(() => {
    clearTimeout(timer.current);
    timer.current = setTimeout(onRefresh, 800);
  }, [onRefresh]);
  useEffect(() => () => clearTimeout(timer.current), []);

  useLive(customer.id, customer.revision, {
    onAdded: timeline.hear, onChanged: timeline.replace, onStale: readSoon, onReset: timeline.again,
  });
  const colleagues = useColleagues(customer.id, me?.subject);
  const { add } = timeline;
  const onDone = useCallback(
    (made: EntryFragment | null | undefined) => {
      if (made) add(made);
      readSoon();
    },
    [add, readSoon],
  );

  const link = useCallback((entry: EntryFragment) => {
    setLinks((was) => [...was.filter(({ id }) => id !== entry.id), entry]);
    composer.current?.focus();
  }, []);
  const side = <Side customer={customer} me={me} onDone={onDone} />;

  return (
    <Box className="desk">
      <div className="top">
        <Identity customer={customer} />
        <Actions
          customer={customer} me={me} definitions={definitions} onDone={onDone} onNote={() => composer.current?.focus()} onRead={onRefresh}
        />
      </div>
      <AlertLine customer={customer} />
      {colleagues.length > 0 && (
        <Text size="sm" className="colleagues" role="status">
          {t.alsoHere(format.list(colleagues.map(({ viewer }) => format.name(viewer.name))))}
        </Text>
      )}
      {customer.mergedInto && (
        <Alert my="sm">
          {t.mergedInto} <Anchor href={addressOf(customer.mergedInto.number)}>{customer.mergedInto.name}</Anchor>
        </Alert>
      )}
      <div className="now">
        <LastEvents entries={customer.recent?.nodes ?? []} number={customer.number} />
        <Now customer={customer} />
      </div>
      <div className="columns">
        {isNarrow && <Folded title={t.side}>{side}</Folded>}
        <section aria-label={t.timeline}>
          {mayNote && (
            <Composer ref={composer} viewer={viewer} customerId={customer.id} links={links} onLinks={setLinks} onDone={onDone} />
          )}
          <Filters
            customer={customer} choice={choice} onChoose={setChoice} shown={timeline.totalCount}
            all={customer.recent?.totalCount ?? null}
          />
          <Timeline timeline={timeline} number={customer.number} opened={entry} me={me} onDone={onDone} onLink={mayNote ? link : undefined} />
        </section>
        {!isNarrow && side}
      </div>
    </Box>
  );
}

/** On a narrow screen the lists are above the timeline, which has no end, and open when they are asked for. */
function Folded({ title, children }: { title: string; children: ReactNode }) {
  const [isOpen, { toggle }] = useDisclosure(false);
  return (
    <div className="folded">
      <Button fullWidth variant="default" onClick={toggle} aria-expanded={isOpen}>{title}</Button>
      {isOpen && children}
    </div>
  );
}
