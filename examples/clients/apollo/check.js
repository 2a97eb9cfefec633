// Checks Apollo Client against a running gateway: `make clients ARGS=apollo`.

import { gql } from '@apollo/client'
import {
  GATEWAY, NUMBERS, TOKENS, ask, cacheEqualsServer, check, checkRefresh, hashNotFound, overloaded, pause, recordingFetch,
  run, same, wholeList,
} from '../shared/check.js'
import { makeClient } from './client.js'

function clientWith({ token = TOKENS.ADMIN, answers } = {}) {
  const recorded = recordingFetch(answers)
  let current = token, refreshed = 0
  const client = makeClient({
    uri: GATEWAY,
    fetch: recorded.fetch,
    getToken: () => current,
    refreshToken: async () => { refreshed += 1; await pause(200); current = TOKENS.ADMIN },
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
/** Returns what a watched query shows, as soon as it is what is waited for. */
async function shown(query, isExpected = () => true) {
  for (let tries = 0; tries < 500; tries += 1) {
    const { data, loading } = query.getCurrentResult()
    if (!loading && data && isExpected(data)) return data
    await pause(10)
  }
  throw new Error('the screen does not show it')
}

const VIEWER = gql`query { viewer { id subject } }`

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
    const number = 'C-100001'
    for (const direction of ['first', 'last']) {
      const query = client.watchQuery({ query: PAGE, variables: { number, [direction]: 5 }, fetchPolicy: 'network-only' })
      const watching = query.subscribe(() => {})
      let { customer } = await shown(query)
      for (const rows of [10, 15]) {
        const { startCursor, endCursor } = customer.activities.pageInfo
        const cursor = direction === 'first' ? { after: endCursor } : { before: startCursor }
        await query.fetchMore({ variables: { [direction]: 5, ...cursor } })
        customer = (await shown(query, (data) => data.customer.activities.edges.length === rows)).customer
      }
      const ids = customer.activities.edges.map((edge) => edge.node.id)
      check(same(ids, truth[direction]), `three pages by ${direction} are one list of 15 rows`)
      watching.unsubscribe()
    }
  },

  async 'points after adjustPoints'() {
    const { client, sent } = clientWith()
    const number = 'C-100003'
    const query = client.watchQuery({ query: POINTS, variables: { number } })
    const watching = query.subscribe(() => {})
    const { customer } = await shown(query)
    const requests = sent.length, before = customer.points.spendable
    const input = { customerId: customer.id, points: 7, reason: 'A check', idempotencyKey: crypto.randomUUID() }
    await client.mutate({ mutation: ADJUST, variables: { input } })
    const now = (await shown(query, (data) => data.customer.points.spendable !== before)).customer.points.spendable
    const truth = (await ask(POINTS.loc.source.body, { number })).data.customer.points.spendable
    check(
      now === truth && truth === before + 7 && sent.length === requests + 1,
      `adjustPoints: ${before} + 7 = ${now} on screen, by the payload alone`,
    )
    watching.unsubscribe()
  },

  async 'a token that has expired'() {
    const { client, sent, refreshed } = clientWith({ token: TOKENS.EXPIRED })
    const customers = await Promise.all(
      NUMBERS.map(async (number) => (await client.query({ query: POINTS, variables: { number } })).data?.customer),
    )
    checkRefresh(customers, refreshed(), sent)
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

    const later = clientWith({ answers: [hashNotFound] })
    const answer = await later.client.query({ query: VIEWER })
    const second = JSON.parse(later.sent[1].body)
    check(
      answer.data?.viewer && second.query && second.extensions.persistedQuery,
      'a hash that is not found: the client sends the document with it',
    )
  },

  async 'masked fields'() {
    for (const role of ['SALES_REP', 'AFFILIATE']) {
      const { client } = clientWith({ token: TOKENS[role] })
      const query = gql`query { customers(first: 5) { edges { node { id number email activities(first: 3) { edges { node {
        id title message } } } } } } }`
      const { data } = await client.query({ query, errorPolicy: 'none' })
      const rows = data?.customers.edges.map((edge) => edge.node) ?? []
      const masked = rows.filter((row) => row.email === null).length
      check(
        rows.length && rows.every((row) => row.number && row.activities),
        `${role}: ${rows.length} customers are shown, ${masked} without an address, even by errorPolicy "none"`,
      )
    }
  },
})
