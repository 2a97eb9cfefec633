import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import '@graphiql/plugin-explorer/style.css';
import './graphiql.css';

import { explorerPlugin } from '@graphiql/plugin-explorer';
import { createGraphiQLFetcher, createLocalStorage } from '@graphiql/toolkit';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createRoot } from 'react-dom/client';

import { examples } from './examples.js';

// What the gateway says about this visit. `headers` go with every request; what the user types into the
// header editor wins over them.
const { headers = {} } = JSON.parse(document.getElementById('config').textContent);

const fetcher = createGraphiQLFetcher({
  url: location.pathname, // the page and the API share one address
  headers,
  enableIncrementalDelivery: false, // the gateway has no @defer: one answer per request
});

// A namespace of our own: another project's GraphiQL on the same localhost port must not lend us its tabs.
const storage = createLocalStorage({ namespace: 'customer-gateway' });

const plugins = [HISTORY_PLUGIN, explorerPlugin()];

createRoot(document.getElementById('root')).render(
  <GraphiQL
    fetcher={fetcher}
    storage={storage}
    plugins={plugins}
    defaultTabs={examples} // for newcomers only: GraphiQL prefers the tabs it has stored
    defaultEditorToolsVisibility="variables"
  >
    <GraphiQL.Logo>Customer gateway</GraphiQL.Logo>
  </GraphiQL>,
);
