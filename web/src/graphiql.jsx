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
import { recall, remember, viewers } from './viewers.js';

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
      const headers = new Headers(viewer?.headers);
      for (const [name, value] of Object.entries(request.headers)) headers.set(name, value);
      const response = await fetch(url, { ...request, headers });
      onAnswer(response.status === 401);
      return response;
    },
  });
  return (params, given) => (isSubscription(params, given) ? subscribe(viewer, params, given) : ask(params, given));
}

const isSubscription = ({ operationName }, { documentAST } = {}) =>
  documentAST !== undefined && getOperationAST(documentAST, operationName)?.operation === 'subscription';

/** Subscribes by server-sent events, until the stream ends or is stopped. A stream that ends says why. */
function subscribe(viewer, params, { headers } = {}) {
  const client = createClient({ url: location.pathname, headers: { ...viewer?.headers, ...headers }, retryAttempts: 0 });
  return client.iterate(params);
}

function Gateway() {
  const [viewer, setViewer] = useState(recall);
  const [{ refused, admissions }, setAccess] = useState({ refused: false, admissions: 0 });

  // A new fetcher makes GraphiQL fetch the schema again: for a new viewer, and once a refused one gets in.
  const fetcher = useMemo(() => {
    const onAnswer = (refused) =>
      setAccess((was) => (was.refused === refused ? was : { refused, admissions: was.admissions + !refused }));
    return fetcherFor(viewer, onAnswer);
  }, [viewer, admissions]);

  function become(label) {
    const chosen = viewers.find((viewer) => viewer.label === label);
    remember(chosen);
    setViewer(chosen);
  }

  return (
    <GraphiQL
      fetcher={fetcher}
      storage={storage}
      plugins={plugins}
      defaultTabs={examples} // for newcomers only: GraphiQL prefers the tabs it has stored
      defaultEditorToolsVisibility={isNarrow ? false : 'variables'}
    >
      <GraphiQL.Logo>
        {viewer && (
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
      {refused && !viewer && (
        <GraphiQL.Footer>
          <p className="hint" role="alert">
            Send an Authorization header: Headers tab, <code>{'{"Authorization": "Bearer …"}'}</code>
          </p>
        </GraphiQL.Footer>
      )}
    </GraphiQL>
  );
}

createRoot(document.getElementById('root')).render(<Gateway />);
