// A customer's timeline as it happens: copy `follow`, and the transport of the client that you use.

import { ApolloClient, InMemoryCache, gql } from '@apollo/client'
import { GraphQLWsLink } from '@apollo/client/link/subscriptions'
import { Client, subscriptionExchange } from '@urql/core'
import { createClient as createSseClient } from 'graphql-sse'
import { createClient as createWsClient } from 'graphql-ws'

export const LIVE = /* GraphQL */ `
  subscription Live($id: ID!, $after: String) {
    customerActivity(customerId: $id, after: $after) {
      kind
      cursor
      activity { id title occurredAt }
      customer { id revision }
    }
  }
`

// A library that reconnects by itself would send the old cursor: `follow` does it with the last one.
const sseClient = ({ url, getToken }) =>
  createSseClient({ url, headers: () => ({ authorization: `Bearer ${getToken()}` }), retryAttempts: 0 })

const wsClient = ({ url, getToken }) =>
  createWsClient({
    url: url.replace(/^http/, 'ws'),
    connectionParams: () => ({ Authorization: `Bearer ${getToken()}` }),
    retryAttempts: 0,
  })

/** Each returns an async iterable of results, which ends the subscription when it is left. */
export const transports = {
  'graphql-sse': (options) => (variables) => sseClient(options).iterate({ query: LIVE, variables }),

  'graphql-ws': (options) => (variables) => wsClient(options).iterate({ query: LIVE, variables }),

  apollo(options) {
    const client = new ApolloClient({ link: new GraphQLWsLink(wsClient(options)), cache: new InMemoryCache() })
    return (variables) => iterate((sink) => client.subscribe({ query: gql(LIVE), variables, errorPolicy: 'all' }).subscribe(sink),
      (result) => (result.error ? { errors: result.error.errors ?? [result.error] } : result))
  },

  urql(options) {
    const client = new Client({
      url: options.url,
      preferGetMethod: false,
      exchanges: [
        subscriptionExchange({
          forwardSubscription: ({ query, variables }) => ({
            subscribe: (sink) => ({ unsubscribe: sseClient(options).subscribe({ query, variables }, sink) }),
          }),
        }),
      ],
    })
    return (variables) => iterate((sink) => client.subscription(LIVE, variables).subscribe(sink.next),
      (result) => (result.error ? { errors: result.error.graphQLErrors } : result))
  },
}

/** Yields what happens from `after` on, for ever: over breaks, over the end of a stream, and over that of a token. */
export async function* follow(subscribe, { id, after = null, refreshToken, pause }) {
  for (;;) {
    try {
      for await (const { data, errors } of subscribe({ id, after })) {
        if (errors?.length) {
          const { code } = errors[0].extensions ?? {}
          if (code === 'TOKEN_EXPIRED') await refreshToken()
          else if (!['SUBSCRIPTION_ENDED', 'UNAVAILABLE', 'TOO_MANY_SUBSCRIPTIONS'].includes(code)) throw new Refused(errors)
          break
        }
        after = data.customerActivity.cursor
        yield data.customerActivity
      }
    } catch (error) {
      if (error instanceof Refused) throw error
    }
    await pause(500 + Math.random() * 1500) // not all at once, where a process has left
  }
}

class Refused extends Error {
  constructor(errors) {
    super(errors[0].message)
    this.errors = errors
  }
}

/** Turns an observable into an async iterable. */
async function* iterate(subscribe, read) {
  const waiting = []
  let wake = () => {}, over = false
  const put = (result) => { waiting.push(result); wake() }
  const { unsubscribe } = bound(subscribe({
    next: put,
    error: (error) => { put({ error }); over = true },
    complete: () => { over = true; wake() },
  }))
  try {
    for (;;) {
      while (waiting.length) yield read(waiting.shift())
      if (over) return
      await new Promise((resolve) => { wake = resolve })
    }
  } finally {
    unsubscribe()
  }
}

const bound = (subscription) => ({ unsubscribe: () => subscription.unsubscribe() })
