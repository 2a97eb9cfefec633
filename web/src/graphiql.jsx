import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import '@graphiql/plugin-explorer/style.css';
import './graphiql.css';

import { explorerPlugin } from '@graphiql/plugin-explorer';
import { createGraphiQLFetcher, createLocalStorage } from '@graphiql/toolkit';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { getOperationAST } from 'graphql';
import { createClient } from 'graphql-sse';
import { useMemo, useState } from 'react';
import { createRoot } from 'react-dom/client';

import { examples } from './examples.js';
import { oidc, recall, remember, viewers } from './viewers.js';

// A namespace of our own: another project's GraphiQL on the same localhost port must not lend us its tabs.
const storage = createLocalStorage({ namespace: 'customer-gateway' });

// Where panes stand above each other (graphiql.css), the query has the room of the variables until these are opened.
const isNarrow = matchMedia('(width < 720px)').matches;

const plugins = [HISTORY_PLUGIN, explorerPlugin()];

/** Asks as `viewer`; `onAnswer` hears whether the gateway refused to know us (401). */
function fetcherFor(viewer, onAnswer) {
  const ask = createGraphiQLFetcher({
    url: location.pathname, // the page and the API share one address
    enableIncrementalDelivery: false, // the gateway has no @defer: one answer per request
    async fetch(url, request) {
      // `request` has what the user typed into the header editor, which wins: in any spelling, as HTTP has it.
      const headers = new Headers(await headersOf(viewer));
      for (const [name, value] of Object.entries(request.headers)) headers.set(name, value);
      const response = await fetch(url, { ...request, headers });
      onAnswer(response.status === 401);
      return response;
    },
  });
  return (params, given) => (isSubscription(params, given) ? subscribe(viewer, params, given) : ask(params, given));
}

// Who signed in has a token that is renewed; the demo's came with the page.
const headersOf = (viewer) => viewer?.session?.headers() ?? viewer?.headers;

const isSubscription = ({ operationName }, { documentAST } = {}) =>
  documentAST !== undefined && getOperationAST(documentAST, operationName)?.operation === 'subscription';

/** Subscribes by server-sent events, until the stream ends or is stopped. A stream that ends says why. */
function subscribe(viewer, params, { headers } = {}) {
  const all = async () => ({ ...(await headersOf(viewer)), ...headers });
  const client = createClient({ url: location.pathname, headers: all, retryAttempts: 0 });
  return client.iterate(params);
}

const FAULTS = {
  unreachable: 'The sign-in cannot be reached. Try again in a moment.',
  denied: 'You were not signed in: it was cancelled or refused.',
  lost: 'The sign-in was interrupted. Begin again.',
  insecure: 'This address is not safe to sign in at: it has to begin with https://.',
  failed: 'The sign-in did not work.',
};

/** Takes up what the provider sent the visitor back with. The library is loaded where somebody signs in only. */
async function arrive() {
  if (!oidc) return { viewer: recall() };
  const { Session } = await import('../desk/src/session.ts');
  const session = new Session(oidc);
  const fault = await session.arrive().then(() => undefined, (error) => error);
  return { session, viewer: session.subject && { label: session.subject, session }, fault };
}

/** Returns what somebody can do whom the gateway does not know; nothing for those whose token came with the page. */
function hintOf(viewer, session) {
  if (session?.isFresh) return 'The gateway does not accept your sign-in; its answer says why.';
  if (session) return viewer ? 'Your sign-in has ended.' : 'Sign in first.';
  return viewer ? undefined : <>Send an Authorization header: Headers tab, <code>{'{"Authorization": "Bearer …"}'}</code></>;
}

function Gateway({ session, viewer: first, fault: firstFault }) {
  const [viewer, setViewer] = useState(first);
  const [fault, setFault] = useState(firstFault);
  const [{ refused, admissions }, setAccess] = useState({ refused: false, admissions: 0 });

  // A new fetcher makes GraphiQL fetch the schema again: for a new viewer, and once a refused one gets in.
  const fetcher = useMemo(() => {
    const onAnswer = (refused) =>
      setAccess((was) => (was.refused === refused ? was : { refused, admissions: was.admissions + !refused }));
    return fetcherFor(viewer, onAnswer);
  }, [viewer, admissions]);

  function come() {
    setFault(undefined);
    session.signIn().catch(setFault);
  }

  async function leave() {
    await session.signOut();
    setViewer(undefined); // where the provider has no page for that
  }

  function become(label) {
    const chosen = viewers.find((viewer) => viewer.label === label);
    remember(chosen);
    setViewer(chosen);
  }

  const hint = fault ? `${FAULTS[fault.fault]} (${fault.message})` : refused && hintOf(viewer, session);
  return (
    <GraphiQL
      fetcher={fetcher}
      storage={storage}
      plugins={plugins}
      defaultTabs={examples} // for newcomers only: GraphiQL prefers the tabs it has stored
      defaultEditorToolsVisibility={isNarrow ? false : 'variables'}
    >
      <GraphiQL.Logo>
        {session && (
          <button className="sign" onClick={viewer ? leave : come}>{viewer ? 'Sign out' : 'Sign in'}</button>
        )}
        {viewer && !session && (
          <label className="viewer">
            You are{' '}
            <select value={viewer.label} onChange={(event) => become(event.target.value)}>
              {viewers.map(({ label }) => (
                <option key={label}>{label}</option>
              ))}
            </select>
          </label>
        )}
        <a className="name" href={new URL('desk', location.href.replace(/\/$/, '')).href}>Desk</a>
      </GraphiQL.Logo>
      {hint && (
        <GraphiQL.Footer>
          <p className="hint" role="alert">
            {hint} {session && refused && <button className="sign" onClick={come}>Sign in</button>}
          </p>
        </GraphiQL.Footer>
      )}
    </GraphiQL>
  );
}

arrive().then((arrival) => createRoot(document.getElementById('root')).render(<Gateway {...arrival} />));
