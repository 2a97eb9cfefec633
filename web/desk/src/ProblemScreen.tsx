import { Alert, Button, Group, Text } from '@mantine/core';
import { useEffect, useState } from 'react';

import type { Problem } from './problems';
import { useWords } from './words';

interface Props {
  problem: Problem;
  onRetry?: () => void;
}

/** Says what went wrong and what to do. What may pass is tried again by itself, after the time that the gateway names. */
export function ProblemScreen({ problem, onRetry }: Props) {
  const { t } = useWords();
  const [left, setLeft] = useState(problem.retryAfterSeconds ?? 0);

  useEffect(() => setLeft(problem.retryAfterSeconds ?? 0), [problem]);
  useEffect(() => {
    if (left <= 0) return;
    const timer = setTimeout(() => {
      if (left === 1) onRetry?.();
      setLeft(left - 1);
    }, 1000);
    return () => clearTimeout(timer);
  }, [left, onRetry]);

  const { title, advice } = t.problems[problem.kind];
  return (
    <Alert color={problem.kind === 'fault' ? 'red' : 'yellow'} title={title} role="alert" data-problem={problem.kind} my="md">
      <Text size="sm">{advice}</Text>
      {['fault', 'forbidden', 'invalid'].includes(problem.kind) && <Text size="sm">{problem.message}</Text>}
      {problem.requestId && <Text size="sm">{t.requestId(problem.requestId)}</Text>}
      {onRetry && (
        <Group mt="xs">
          <Button size="xs" variant="default" onClick={onRetry}>
            {left > 0 ? t.retryIn(left) : problem.kind === 'stale' ? t.readAgain : t.retry}
          </Button>
        </Group>
      )}
    </Alert>
  );
}
