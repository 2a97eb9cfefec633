// Checks Apollo Client against a running gateway: `make clients ARGS=apollo`.

import { gql } from '@apollo/client'
import { filter, firstValueFrom, timeout } from 'rxjs'
import {
  GATEWAY, TOKENS, ask, cacheEqualsServer, check, overloaded, recordingFetch, run, same, wholeList,
} from '../shared/check.js'
import { makeClient } from './client.js'

function clientWith({ token = TOKENS.ADMIN, answers } = {}) {
  const recorded = recordingFetch(answers)
  let current = token, refreshed = 0
  const client = makeClient({
    uri: GATEWAY,
    fetch: recorded.fetch,
    getToken: () => current,
    refreshToken: async () => { refreshed += 1; current = TOKENS.ADMIN },
  })
  return { client, sent: recorded.sent, refreshed: () => refreshed }
}

const POINTS = gql`query ($number: String!) { customer(by: {number: $number}) { id points { id spendable } } }`
const ADJUST = gql`
  mutation ($input: AdjustPointsInput!) {
    adjustPoints(input: $input) { customer { id points { id spendable } } userErrors { code message } }
  }
`
const PAGE = gql`
  query ($number: String!, $first: Int, $after: String, $last: Int, $before: String) {
    customer(by: {number: $number}) {
      id
      activities(first: $first, after: $after, last: $last, before: $before) {
        edges { cursor node { id title } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
`
const settled = (query) => firstValueFrom(query.pipe(filter((result) => !result.loading)))
const VIEWER = gql`query { viewer { subject } }`

await run({
  async 'cache equals server'() {
    const { client } = clientWith()
    await cacheEqualsServer({
      fetchIntoCache: ({ query, variables }) =>
        client.query({ query: gql(query), variables, fetchPolicy: 'network-only' }),
      readFromCache: ({ query, variables }) =>
        client.readQuery({ query: gql(query), variables, returnPartialData: true }),
    })
  },

  async 'pages forwards and backwards'() {
    const { client } = clientWith()
    const truth = await wholeList('C-100001', 'activities', 15)
    const edgesOf = (result) => result.data.customer.activities.edges
    for (const direction of ['first', 'last']) {
      const number = 'C-100001'
      const query = client.watchQuery({ query: PAGE, variables: { number, [direction]: 5 }, fetchPolicy: 'network-only' })
      const shown = (rows) => firstValueFrom(query.pipe(filter((each) => each.data && edgesOf(each).length === rows), timeout(5000)))
      let result = await shown(5)
      for (const rows of [10, 15]) {
        const { startCursor, endCursor } = result.data.customer.activities.pageInfo
        const cursor = direction === 'first' ? { after: endCursor } : { before: startCursor }
        const grown = shown(rows)
        await query.fetchMore({ variables: { [direction]: 5, ...cursor } })
        result = await grown
      }
      const ids = edgesOf(result).map((edge) => edge.node.id)
      check(same(ids, truth[direction]), `three pages by ${direction} are one list of 15 rows`)
    }
  },

  async 'points after adjustPoints'() {
    const { client, sent } = clientWith()
    const number = 'C-100003'
    const query = client.watchQuery({ query: POINTS, variables: { number } })
    const watching = query.subscribe(() => {})
    const { customer } = (await settled(query)).data
    const requests = sent.length
    const input = { customerId: customer.id, points: 7, reason: 'A check', idempotencyKey: crypto.randomUUID() }
    await client.mutate({ mutation: ADJUST, variables: { input } })
    const shown = query.getCurrentResult().data.customer.points.spendable
    const truth = (await ask(POINTS.loc.source.body, { number })).data.customer.points.spendable
    check(
      shown === truth && truth === customer.points.spendable + 7 && sent.length === requests + 1,
      `adjustPoints: ${customer.points.spendable} + 7 = ${shown} on screen, by the payload alone`,
    )
    watching.unsubscribe()
  },

  async 'a token that has expired'() {
    const { client, sent, refreshed } = clientWith({ token: TOKENS.EXPIRED })
    const { data } = await client.query({ query: VIEWER })
    check(
      data?.viewer.subject === 'admin' && refreshed() === 1 && sent[0].status === 401,
      'an expired token: 401, one refresh, and the operation is repeated',
    )
  },

  async 'a gateway that is overloaded'() {
    const { client, sent } = clientWith({ answers: [overloaded] })
    const began = Date.now()
    const { data } = await client.query({ query: VIEWER })
    const seconds = (Date.now() - began) / 1000
    check(data?.viewer && seconds >= 1 && sent[0].status === 503, 'OVERLOADED: repeated after retryAfterSeconds')
  },

  async 'hashes instead of documents'() {
    const { client, sent } = clientWith()
    const { data } = await client.query({ query: VIEWER })
    const bodies = sent.map((request) => JSON.parse(request.body))
    const refused = bodies[0].extensions.persistedQuery && !bodies[0].query
    check(
      data?.viewer && refused && bodies[1].query,
      `a hash alone is refused (${sent[0].status}), and the client sends the document`,
    )
  },

  async 'masked fields'() {
    for (const role of ['SALES_REP', 'AFFILIATE']) {
      const { client } = clientWith({ token: TOKENS[role] })
      const query = gql`query { customers(first: 5) { edges { node { id number email activities(first: 3) { edges { node {
        id title message } } } } } } }`
      const { data, error } = await client.query({ query })
      const rows = data?.customers.edges.map((edge) => edge.node) ?? []
      check(
        rows.length && rows.every((row) => row.number && row.activities),
        `${role}: ${rows.length} customers are shown, with ${error?.errors?.length ?? 0} errors for masked fields`,
      )
    }
  },
})
