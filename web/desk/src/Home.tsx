import { Container, Kbd, Text, Title } from '@mantine/core';
import { useEffect } from 'react';
import { useQuery } from 'urql';

import { ProblemScreen } from './ProblemScreen';
import { SelfDocument } from './generated/graphql';
import { problemOf } from './problems';
import { addressOf, go } from './route';
import { useWords } from './words';

/** Where a visit begins. Customers are led to their own page. */
export function Home() {
  const { t } = useWords();
  const [{ data, error }, again] = useQuery({ query: SelfDocument });
  const own = data?.viewer?.customer?.number;

  useEffect(() => {
    if (own) go(addressOf(own));
  }, [own]);

  return (
    <Container size="sm" py="xl">
      <Title order={1} size="h2">{t.hello(data?.viewer?.name ?? '')}</Title>
      {error && !data ? (
        <ProblemScreen problem={problemOf(error)} onRetry={() => again({ requestPolicy: 'network-only' })} />
      ) : (
        <Text mt="sm">{t.howToFind} <Kbd>/</Kbd></Text>
      )}
    </Container>
  );
}
