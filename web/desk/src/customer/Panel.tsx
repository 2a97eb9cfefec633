import { Group, Paper, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';

import { useWords } from '../words';

/** A list beside the timeline, under its name and the number of all its rows. */
export function Panel({ title, count, children }: { title: string; count?: number | null; children: ReactNode }) {
  const { format } = useWords();
  return (
    <Paper withBorder p="sm" component="section" aria-label={title}>
      <Title order={2} size="h5">{title}{count !== undefined && count !== null && ` (${format.number(count)})`}</Title>
      {children}
    </Paper>
  );
}

interface LineProps {
  name?: string;
  /** What stands under the first line, smaller. */
  more?: ReactNode;
  action?: ReactNode;
  children: ReactNode;
}

export const Line = ({ name, more, action, children }: LineProps) => (
  <Group justify="space-between" wrap="nowrap" gap="xs" className="line" data-row={name}>
    <div>
      <div>{children}</div>
      {more && <Text size="xs" className="dim" component="div">{more}</Text>}
    </div>
    {action}
  </Group>
);
