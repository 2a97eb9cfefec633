import { Anchor, Badge, Button, Group, Stack, Text } from '@mantine/core';
import { Suspense, lazy, useState } from 'react';
import { useQuery } from 'urql';

import { ProblemScreen } from '../ProblemScreen';
import { type ActivityAction, type EntryDetailsQuery, type EntryFragment, EntryDetailsDocument } from '../generated/graphql';
import { problemOf } from '../problems';
import { useWords } from '../words';
import { addressOf } from '../route';
import type { Me } from './CustomerPage';
import { Mail } from './Mail';

const RefundDialog = lazy(() => import('../actions/RefundDialog'));
const UnmergeDialog = lazy(() => import('../actions/UnmergeDialog'));

type Found = Extract<NonNullable<EntryDetailsQuery['node']>, { recordedAt: string }>;
type Link = NonNullable<Found['note']>['links'][number];

interface Props {
  entry: EntryFragment;
  me: Me;
  onDone: (made: EntryFragment | null | undefined) => void;
}

/** What an event is about, read when its tile opens: facts, changes, the mail, the note, and what can be done with it. */
export function Details({ entry, me, onDone }: Props) {
  const { t, format } = useWords();
  const [{ data, error, fetching }, again] = useQuery({ query: EntryDetailsDocument, variables: { id: entry.id } });
  const [dialog, setDialog] = useState<'REQUEST_REFUND' | 'UNMERGE'>();
  const found = data?.node && 'recordedAt' in data.node ? data.node : undefined;

  if (error && !found) return <ProblemScreen problem={problemOf(error)} onRetry={() => again({ requestPolicy: 'network-only' })} />;
  if (!found) return <Text size="sm">{fetching ? t.loading : t.noEntry}</Text>;

  const { note, subject } = found;
  // Changes say what was changed, and more than that.
  const facts = found.attributes?.filter(({ name }) => !(found.changes && name === 'changedFields'));
  const can = (action: ActivityAction) => entry.availableActions?.includes(action) ?? false;
  return (
    <Stack gap="xs">
      {facts && facts.length > 0 && (
        <dl className="facts-of">
          {facts.map(({ name, label, value }) => (
            <div key={name}><dt>{label}</dt><dd dir="auto">{value}</dd></div>
          ))}
        </dl>
      )}
      {found.changes?.map(({ field, label, from, to }) => (
        <Text key={field} size="sm">{label}: <del>{from ?? '–'}</del> → <ins>{to ?? '–'}</ins></Text>
      ))}
      {note && (
        <>
          {note.pinnedFor && <Badge size="sm">{t.pinned}</Badge>}
          {note.mentions.length > 0 && <Text size="sm">{t.mentioned(format.list(note.mentions))}</Text>}
          {note.links.map((link, index) => <NoteLink key={index} link={link} />)}
          {note.attachments.map(({ id, name, url }) => <a key={id} href={url} download>{name}</a>)}
          {note.versions.length > 1 && <Text size="sm">{t.edited(note.versions.length - 1)}</Text>}
        </>
      )}
      {found.email && <Mail mail={found.email} canResend={can('RESEND_EMAIL')} onDone={onDone} />}
      <Text size="xs" className="dim">{t.recorded(format.dateTime(found.recordedAt))}</Text>
      <Group gap="xs">
        {can('REQUEST_REFUND') && subject && 'refundable' in subject && (
          <Button size="xs" variant="default" onClick={() => setDialog('REQUEST_REFUND')}>{t.actions.refund}</Button>
        )}
        {me?.permissions.includes('MERGE_CUSTOMERS') && subject && 'undoneAt' in subject && !subject.undoneAt && (
          <Button size="xs" variant="default" onClick={() => setDialog('UNMERGE')}>{t.actions.unmerge}</Button>
        )}
      </Group>
      <Suspense>
        {dialog === 'UNMERGE' && subject && <UnmergeDialog mergeId={subject.id} onClose={() => setDialog(undefined)} onDone={onDone} />}
        {dialog === 'REQUEST_REFUND' && subject && 'refundable' in subject && (
          <RefundDialog transaction={subject} onClose={() => setDialog(undefined)} onDone={onDone} />
        )}
      </Suspense>
    </Stack>
  );
}

/** What a note is about: an event or a customer leads there, anything else is named by its id. */
function NoteLink({ link }: { link: Link }) {
  const { t } = useWords();
  if (!link) return <Text size="sm" className="dim">{t.linkGone}</Text>;
  if ('title' in link && link.customer) return <Anchor size="sm" href={addressOf(link.customer.number, link.id)}>{t.about(link.title)}</Anchor>;
  if ('number' in link) return <Anchor size="sm" href={addressOf(link.number)}>{t.about(`${link.name}, ${link.number}`)}</Anchor>;
  return <Text size="sm">{t.about(link.id)}</Text>;
}
