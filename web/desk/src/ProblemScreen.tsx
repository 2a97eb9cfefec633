import { Alert, Button, Group, Text } from '@mantine/core';
import { useEffect, useState } from 'react';

import { useIdentity } from './identity';
import type { Problem } from './problems';
import type { SignInError } from './session';
import { useWords } from './words';

interface Props {
  problem: Problem;
  onRetry?: () => void;
}

/** Says what went wrong and what to do. What may pass is tried again by itself, after the time that the gateway names. */
export function ProblemScreen({ problem, onRetry }: Props) {
  const { t } = useWords();
  const { isFresh, signIn } = useIdentity();
  const [fault, setFault] = useState<SignInError>();
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

  const kind = problem.kind === 'signedOut' && isFresh() ? 'tokenRefused' : problem.kind;
  const isSignedOut = problem.kind === 'signedOut';

  async function come() {
    setFault(undefined);
    await signIn().then(onRetry, setFault);
  }

  const { title, advice } = t.problems[kind];
  return (
    <Alert color={kind === 'fault' ? 'red' : 'yellow'} title={title} role="alert" data-problem={kind} my="md">
      <Text size="sm">{advice}</Text>
      {['fault', 'forbidden', 'invalid', 'tokenRefused'].includes(kind) && <Text size="sm">{problem.message}</Text>}
      {problem.requestId && <Text size="sm">{t.requestId(problem.requestId)}</Text>}
      {fault && <Text size="sm" role="alert">{t.signInFaults[fault.fault].title}. {t.signInFaults[fault.fault].advice}</Text>}
      {isSignedOut && (
        <Group mt="xs">
          <Button size="xs" onClick={come}>{t.signIn}</Button>
        </Group>
      )}
      {onRetry && !isSignedOut && (
        <Group mt="xs">
          <Button size="xs" variant="default" onClick={onRetry}>
            {left > 0 ? t.retryIn(left) : problem.kind === 'stale' ? t.readAgain : t.retry}
          </Button>
        </Group>
      )}
    </Alert>
  );
}
