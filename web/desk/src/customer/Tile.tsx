import { Badge, CopyButton, Group, Text, UnstyledButton } from '@mantine/core';
import { useQuery } from 'urql';

import { type EntryFragment, OneEntryDocument } from '../generated/graphql';
import { addressOf } from '../route';
import { useWords } from '../words';
import type { Me } from './CustomerPage';
import { Details } from './Details';
import { Glyph } from './Glyph';

interface Props {
  entry: EntryFragment;
  number: string;
  isOpen: boolean;
  onToggle: () => void;
  me: Me;
  onDone: (made: EntryFragment | null | undefined) => void;
  onLink?: (entry: EntryFragment) => void;
}

/** One event. A note by hand and an event of a machine look different, and each says who did it and where it comes from. */
export function Tile({ entry, number, isOpen, onToggle, me, onDone, onLink }: Props) {
  const { t, format } = useWords();
  const source = t.sources[entry.source] ?? entry.source;
  const who = entry.actor.onBehalfOf ? t.onBehalfOf(entry.actor.name, entry.actor.onBehalfOf.name) : entry.actor.name;
  const kind = t.actorKinds[entry.actor.kind];
  const points = entry.points ? t.pointsOf(entry.points) : '';
  return (
    <article
      className={entry.isNote ? 'tile note' : 'tile'} data-entry={entry.id} data-type={entry.type}
      aria-label={[entry.title, who, source, format.dateTime(entry.occurredAt), points].filter(Boolean).join(', ')}
    >
      <UnstyledButton className="head" onClick={onToggle} aria-expanded={isOpen}>
        <Glyph group={entry.group} />
        <span className="what">
          <Text component="span" size="sm" fw={600}>{entry.title}</Text>
          {entry.message && !isOpen && <Text component="span" size="sm" className="message" dir="auto">{entry.message}</Text>}
          <Text component="span" size="xs" className="dim">
            <bdi>{who}</bdi> · {who !== kind && `${kind} · `}
            <time dateTime={entry.occurredAt} title={format.dateTime(entry.occurredAt)}>{format.time(entry.occurredAt)}</time>
          </Text>
        </span>
        {points && <Badge variant="default" size="sm" tt="none">{points}</Badge>}
        <Badge variant="default" size="sm" tt="none" className="source">{source}</Badge>
      </UnstyledButton>
      {isOpen && (
        <div className="details">
          {entry.message && <Text size="sm" className="full" dir="auto">{entry.message}</Text>}
          <Details entry={entry} me={me} onDone={onDone} />
          <Group mt="xs">
            <CopyButton value={new URL(addressOf(number, entry.id), location.href).href}>
              {({ copied, copy }) => (
                <UnstyledButton onClick={copy}><Text size="xs" td="underline">{copied ? t.copied : t.copyLink}</Text></UnstyledButton>
              )}
            </CopyButton>
            {onLink && (
              <UnstyledButton onClick={() => onLink(entry)}><Text size="xs" td="underline">{t.linkInNote}</Text></UnstyledButton>
            )}
          </Group>
        </div>
      )}
    </article>
  );
}

/** An event by its id alone. */
export function TileOf({ id, ...rest }: Omit<Props, 'entry'> & { id: string }) {
  const { t } = useWords();
  const [{ data, fetching }] = useQuery({ query: OneEntryDocument, variables: { id } });
  const entry = data?.node && 'occurredAt' in data.node ? (data.node as EntryFragment) : undefined;
  if (entry) return <Tile entry={entry} {...rest} />;
  return <Text size="sm">{fetching ? t.loading : t.noEntry}</Text>;
}
