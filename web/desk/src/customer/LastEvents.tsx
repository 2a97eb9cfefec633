import { Anchor, List, Paper, Text, Title } from '@mantine/core';

import type { EntryFragment } from '../generated/graphql';
import { addressOf } from '../route';
import { useNow } from '../useNow';
import { useWords } from '../words';

/** The last things that happened, each a sentence: what, by whom, in which system, how long ago. */
export function LastEvents({ entries, number }: { entries: (EntryFragment | null)[]; number: string }) {
  const { t, format } = useWords();
  const now = useNow();
  return (
    <Paper withBorder p="sm" component="section" aria-label={t.lastEvents}>
      <Title order={2} size="h5">{t.lastEvents}</Title>
      {entries.length === 0 && <Text size="sm">{t.nothingYet}</Text>}
      <List size="sm" listStyleType="none">
        {entries.map((entry) => entry && (
          <List.Item key={entry.id}>
            <Anchor href={addressOf(number, entry.id)} size="sm" underline="always">{entry.title}</Anchor>{' '}
            {t.byWhom(entry.actor.name, entry.actor.onBehalfOf?.name, t.sources[entry.source] ?? entry.source)},{' '}
            <time dateTime={entry.occurredAt} title={format.dateTime(entry.occurredAt)}>{format.relative(entry.occurredAt, now)}</time>
          </List.Item>
        ))}
      </List>
    </Paper>
  );
}
