import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { createClient as createStream } from 'graphql-sse';

import type { Person } from './config';
import { keyless, possibleTypes } from './generated/policies.json';

const URL_OF_GATEWAY = new URL('graphql', location.href).href;

/** Returns a client that asks as this person. Another person gets another client, and an empty cache with it. */
export function clientOf(person: Person): Client {
  // Streams are taken up again by `follow`, which knows the last cursor; a library would send the first one.
  const streams = createStream({ url: URL_OF_GATEWAY, headers: person.headers, retryAttempts: 0 });
  return new Client({
    url: URL_OF_GATEWAY,
    preferGetMethod: false, // addresses of requests end up in logs, and variables would be in them
    fetchOptions: { headers: { accept: 'application/graphql-response+json, application/json' } },
    // Whose request it is, is known when it is sent: a token may have to be renewed before.
    fetch: async (url, init) => {
      const headers = new Headers(init?.headers);
      for (const [name, value] of Object.entries(await person.headers())) headers.set(name, value);
      return fetch(url, { ...init, headers });
    },
    exchanges: [
      cacheExchange({ keys: Object.fromEntries(keyless.map((type) => [type, () => null])), possibleTypes }),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables }) => ({
          subscribe: (sink) => ({
            unsubscribe: streams.subscribe<Record<string, unknown>>(
              { query: query ?? '', variables: variables as Record<string, unknown> },
              { next: (result) => sink.next(result as Parameters<typeof sink.next>[0]), error: sink.error, complete: sink.complete },
            ),
          }),
        }),
      }),
    ],
  });
}
