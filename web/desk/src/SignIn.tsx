import { Button, Container, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { type FormEvent, useState } from 'react';

import type { Person } from './config';
import { useWords } from './words';

/** Where nobody is lent a token: the visitor brings one. It is kept in memory only, and gone with the page. */
export function SignIn({ onSignIn }: { onSignIn: (person: Person) => void }) {
  const { t } = useWords();
  const [token, setToken] = useState('');

  function submit(event: FormEvent) {
    event.preventDefault();
    const headers = { Authorization: `Bearer ${token.trim()}` };
    onSignIn({ label: '', headers: () => Promise.resolve(headers) });
  }

  return (
    <Container size="xs" py="xl" component="main">
      <form onSubmit={submit}>
        <Stack>
          <Title order={1}>{t.desk}</Title>
          <Text>{t.bringToken}</Text>
          <PasswordInput label={t.token} value={token} onChange={(event) => setToken(event.currentTarget.value)} required />
          <Button type="submit">{t.open}</Button>
        </Stack>
      </form>
    </Container>
  );
}
