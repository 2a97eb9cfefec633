// urql with Graphcache for this gateway: copy this file. `schema` is the introspected schema (`introspectionFromSchema`).

import { Client, fetchExchange, makeOperation } from '@urql/core'
import { authExchange } from '@urql/exchange-auth'
import { cacheExchange } from '@urql/exchange-graphcache'
import { relayPagination } from '@urql/exchange-graphcache/extras'
import { persistedExchange } from '@urql/exchange-persisted'
import { retryExchange } from '@urql/exchange-retry'

/** Each object without an id belongs to the one that shows it, and each list is the pages that were read of it. */
function policiesOf(schema) {
  const types = schema.__schema.types.filter((type) => type.kind === 'OBJECT')
  const isList = (field) => field.type.name?.endsWith('Connection')
  const lists = (type) => type.fields.filter(isList).map((field) => [field.name, relayPagination()])
  return {
    keys: Object.fromEntries(
      types.filter((type) => !type.fields.some((field) => field.name === 'id')).map((type) => [type.name, () => null]),
    ),
    resolvers: Object.fromEntries(types.map((type) => [type.name, Object.fromEntries(lists(type))])),
  }
}

const extensionsOf = (error) => error.graphQLErrors[0]?.extensions ?? {}

export function makeClient({ url, schema, getToken, refreshToken, fetch }) {
  return new Client({
    url,
    fetch,
    preferGetMethod: false, // addresses of requests end up in logs, and variables would be in them
    exchanges: [
      cacheExchange({ schema, ...policiesOf(schema) }),
      retryExchange({
        maxNumberAttempts: 4,
        maxDelayMs: 90_000,
        // Errors that may pass say after how long. A change may be repeated, too: its idempotencyKey stays the same.
        retryWith(error, operation) {
          const { retryAfterSeconds } = extensionsOf(error)
          if (!retryAfterSeconds) return null
          // The exchange waits for one and a half to two and a half times this.
          const retry = { count: operation.context.retry?.count ?? 0, delay: (retryAfterSeconds * 1000) / 1.5 }
          return makeOperation(operation.kind, operation, { ...operation.context, retry })
        },
      }),
      authExchange(async (utils) => ({
        addAuthToOperation: (operation) => utils.appendHeaders(operation, { authorization: `Bearer ${getToken()}` }),
        didAuthError: (error) => extensionsOf(error).code === 'UNAUTHENTICATED',
        refreshAuth: refreshToken,
      })),
      persistedExchange({ preferGetForPersistedQueries: false }),
      fetchExchange,
    ],
  })
}
