// Apollo Client for this gateway: copy this file.

import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client'
import { SetContextLink } from '@apollo/client/link/context'
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries'
import { relayStylePagination } from '@apollo/client/utilities'
import { createHash } from 'node:crypto' // in a browser: crypto.subtle.digest
import { defer, mergeMap, of, timer } from 'rxjs'

const list = relayStylePagination(['filter', 'orderBy']) // reads `edges`; it does not know `nodes`
const valueOfItsOwner = { keyFields: false, merge: true } // two queries may ask for different fields of it

const typePolicies = {
  Query: { fields: { customers: list, auditLog: list, pointsAdjustments: list } },
  Customer: {
    fields: {
      activities: list, pointsHistory: list, coupons: list, transactions: list, passes: list,
      emailHistory: list, notes: list, statusHistory: list,
    },
  },
  Actor: valueOfItsOwner, Address: valueOfItsOwner, Money: valueOfItsOwner, CustomerServiceReport: valueOfItsOwner,
}

/** Gets a new token after UNAUTHENTICATED, waits `retryAfterSeconds` after errors that may pass, and tries again. */
function recover(refreshToken, tries = 3) {
  let refreshing // one new token for all requests that wait for it
  const refresh = () => (refreshing ??= refreshToken().finally(() => { refreshing = undefined }))
  return new ApolloLink((operation, forward) => {
    const attempt = (left) =>
      forward(operation).pipe(
        mergeMap((result) => {
          const { code, retryAfterSeconds } = result.data ? {} : (result.errors?.[0]?.extensions ?? {})
          if (left && code === 'UNAUTHENTICATED') return defer(refresh).pipe(mergeMap(() => attempt(left - 1)))
          // A change may be repeated, too: its idempotencyKey stays the same.
          if (left && retryAfterSeconds) return timer(retryAfterSeconds * 1000).pipe(mergeMap(() => attempt(left - 1)))
          return of(result)
        }),
      )
    return attempt(tries)
  })
}

export function makeClient({ uri, getToken, refreshToken, fetch }) {
  const authorize = new SetContextLink((_, { headers }) => ({
    headers: { ...headers, authorization: `Bearer ${getToken()}` },
  }))
  const persist = new PersistedQueryLink({ sha256: (text) => createHash('sha256').update(text).digest('hex') })
  return new ApolloClient({
    link: ApolloLink.from([recover(refreshToken), persist, authorize, new HttpLink({ uri, fetch })]),
    cache: new InMemoryCache({ typePolicies }),
    clientAwareness: { name: 'desk', version: '1.0' },
    // What a role may not read is null, with an error. "all" shows the rest.
    defaultOptions: {
      watchQuery: { errorPolicy: 'all' }, query: { errorPolicy: 'all' }, mutate: { errorPolicy: 'all' },
    },
  })
}
