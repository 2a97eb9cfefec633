import { Anchor, Group, Select, Text, UnstyledButton, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { Suspense, lazy, useEffect, useMemo, useState } from 'react';
import { Provider, useQuery } from 'urql';

import { Boundary } from './Boundary';
import { Notice } from './Notice';
import { ProblemScreen } from './ProblemScreen';
import { ProviderSignIn, personOf } from './ProviderSignIn';
import { SignIn } from './SignIn';
import { clientOf } from './client';
import { type Person, people, provider, recall, remember } from './config';
import { CustomerPage } from './customer/CustomerPage';
import { RightsDocument } from './generated/graphql';
import { Home } from './Home';
import { type Identity, IdentityProvider } from './identity';
import { type Route, useRoute } from './route';
import { SearchBox } from './search/SearchBox';
import { LOCALES, useWords } from './words';

const ListsPage = lazy(() => import('./lists/ListsPage'));
const ReportPage = lazy(() => import('./report/ReportPage'));

export function App() {
  const { t, locale, setLocale } = useWords();
  const [person, setPerson] = useState<Person | undefined>(recall);
  const client = useMemo(() => person && clientOf(person), [person]);
  const { view, number, entry } = useRoute();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');

  useEffect(() => {
    document.title = number ? `${number} · ${t.desk}` : t.desk;
  }, [number, t]);

  const identity = useMemo<Identity>(() => {
    const session = person?.session;
    if (session) {
      return {
        isFresh: () => session.isFresh,
        signIn: async () => {
          await session.signInAgain();
          // Somebody else gets a page of their own; whoever comes back keeps what they wrote.
          setPerson((was) => (was?.label === session.subject ? was : personOf(session)));
        },
      };
    }
    // The demo's tokens come with the page; elsewhere one brings another.
    return { isFresh: () => false, signIn: async () => (people.length > 0 ? location.reload() : setPerson(undefined)) };
  }, [person]);

  if (!client || !person) return provider ? <ProviderSignIn onSignIn={setPerson} /> : <SignIn onSignIn={setPerson} />;

  function become(label: string | null) {
    const chosen = people.find((each) => each.label === label);
    if (!chosen) return;
    remember(chosen);
    setPerson(chosen);
  }

  return (
    <IdentityProvider value={identity}>
    <Provider value={client} key={person.label}>
      <a href="#main" className="skip" onClick={(event) => { event.preventDefault(); document.getElementById('main')?.focus(); }}>
        {t.skip}
      </a>
      <header className="bar">
        <Group gap="sm" wrap="wrap">
          <Anchor href="#/" fw={700} underline="never" c="inherit">
            {t.desk}
          </Anchor>
          <SearchBox />
          <Group component="nav" gap="sm" aria-label={t.views}>
            <Views view={view} />
            <Anchor href="./graphql" size="sm">GraphiQL</Anchor>
          </Group>
          <Group gap="xs" ml="auto">
            {people.length > 0 && (
              <Select
                size="xs" aria-label={t.youAre} value={person.label} data={people.map(({ label }) => label)}
                onChange={become} allowDeselect={false} w={190}
              />
            )}
            <Select
              size="xs" aria-label={t.language} value={locale} data={LOCALES} w={100}
              onChange={(value) => value && setLocale(value)} allowDeselect={false}
            />
            <UnstyledButton
              className="scheme" aria-label={scheme === 'dark' ? t.light : t.dark}
              onClick={() => setColorScheme(scheme === 'dark' ? 'light' : 'dark')}
            >
              {scheme === 'dark' ? '☀' : '☾'}
            </UnstyledButton>
            {people.length === 0 && (
              <UnstyledButton onClick={() => (person.session ? void person.session.signOut().then(() => setPerson(undefined)) : setPerson(undefined))}>
                <Text size="sm">{t.signOut}</Text>
              </UnstyledButton>
            )}
          </Group>
        </Group>
      </header>
      <Notice>
        <main id="main" tabIndex={-1}>
          <Boundary key={`${view} ${number}`} fallback={({ message }) => <ProblemScreen problem={{ kind: 'fault', message }} />}>
            <Suspense fallback={<Text p="md">{t.loading}</Text>}>
              {view === 'customers' && number && <CustomerPage key={number} number={number} entry={entry} />}
              {view === 'lists' && <ListsPage />}
              {view === 'report' && <ReportPage />}
              {view === 'home' && <Home />}
            </Suspense>
          </Boundary>
        </main>
      </Notice>
    </Provider>
    </IdentityProvider>
  );
}

/** Links to the views that this viewer may open. Who they are comes with the page itself: there is no request for it. */
function Views({ view }: Pick<Route, 'view'>) {
  const { t } = useWords();
  const [{ data }] = useQuery({ query: RightsDocument, requestPolicy: 'cache-only' });
  const me = data?.viewer;
  const isCustomer = me?.roles.every((role) => role === 'CUSTOMER') ?? false;
  return (
    <>
      {!isCustomer && <Anchor href="#/lists" size="sm" aria-current={view === 'lists' ? 'page' : undefined}>{t.lists}</Anchor>}
      {(!me || me.permissions.includes('REPORT')) && (
        <Anchor href="#/report" size="sm" aria-current={view === 'report' ? 'page' : undefined}>{t.report}</Anchor>
      )}
    </>
  );
}
