import { Alert, Button, Container, Stack, Text, Title } from '@mantine/core';
import { Suspense, use, useEffect, useState } from 'react';

import { type Person, type Provider, provider } from './config';
import type { Session, SignInError } from './session';
import { useWords } from './words';

interface Arrival {
  session: Session;
  error?: SignInError;
}

interface Props {
  onSignIn: (person: Person) => void;
}

// Once for a page: a code can be used once. The library is loaded where somebody signs in only.
const arrival = provider && arrive(provider);

async function arrive(provider: Provider): Promise<Arrival> {
  const { Session } = await import('./session');
  const session = new Session(provider);
  try {
    const isSignedOut = await session.arrive();
    if (!isSignedOut && !session.subject) await session.signIn();
    return { session };
  } catch (error) {
    return { session, error: error as SignInError };
  }
}

export const personOf = (session: Session): Person => ({
  label: session.subject ?? '', headers: () => session.headers(), session,
});

/** Signs in at the provider: at once for those who come, by a button for those who were refused or have just left. */
export function ProviderSignIn({ onSignIn }: Props) {
  const { t } = useWords();
  return (
    <Container size="xs" py="xl" component="main">
      <Stack>
        <Title order={1}>{t.desk}</Title>
        <Suspense fallback={<Text>{t.signingIn}</Text>}>
          {arrival && <Door arrival={arrival} onSignIn={onSignIn} />}
        </Suspense>
      </Stack>
    </Container>
  );
}

function Door({ arrival, onSignIn }: Props & { arrival: Promise<Arrival> }) {
  const { t } = useWords();
  const { session, error } = use(arrival);
  const [fault, setFault] = useState(error);
  const [isLeaving, setLeaving] = useState(false);

  useEffect(() => {
    if (session.subject) onSignIn(personOf(session));
  }, [session, onSignIn]);

  function leave() {
    setLeaving(true);
    session.signIn().catch(setFault).finally(() => setLeaving(false));
  }

  if (session.subject) return <Text>{t.signingIn}</Text>;
  const { title, advice } = fault ? t.signInFaults[fault.fault] : { title: t.signedOutNow, advice: t.signInAdvice };
  return (
    <>
      <Alert color={fault ? 'yellow' : undefined} title={title} role="alert" data-problem={fault?.fault}>
        <Text size="sm">{advice}</Text>
        {fault && fault.fault !== 'denied' && <Text size="sm">{fault.message}</Text>}
      </Alert>
      <Button onClick={leave} loading={isLeaving}>{t.signIn}</Button>
    </>
  );
}
