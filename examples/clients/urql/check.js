// Checks urql with Graphcache against a running gateway: `make clients ARGS=urql`.

import { gql } from '@urql/core'
import { buildSchema, introspectionFromSchema } from 'graphql'
import {
  GATEWAY, NUMBERS, SDL, TOKENS, ask, cacheEqualsServer, check, checkRefresh, hashNotFound, overloaded, pause,
  recordingFetch, run, same, wholeList,
} from '../shared/check.js'
import { makeClient } from './client.js'

function clientWith({ token = TOKENS.ADMIN, answers } = {}) {
  const recorded = recordingFetch(answers)
  let current = token, refreshed = 0
  const client = makeClient({
    url: GATEWAY,
    schema: introspectionFromSchema(buildSchema(SDL)),
    fetch: recorded.fetch,
    getToken: () => current,
    refreshToken: async () => { refreshed += 1; await pause(200); current = TOKENS.ADMIN },
  })
  return { client, sent: recorded.sent, refreshed: () => refreshed }
}

const POINTS = `query ($number: String!) { customer(by: {number: $number}) { id points { id spendable } } }`
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
const VIEWER = gql`query { viewer { id subject } }`

await run({
  async 'cache equals server'() {
    const { client } = clientWith()
    await cacheEqualsServer({
      fetchIntoCache: ({ query, variables }) =>
        client.query(query, variables, { requestPolicy: 'network-only' }).toPromise(),
      readFromCache: async ({ query, variables }) =>
        (await client.query(query, variables, { requestPolicy: 'cache-only' }).toPromise()).data,
    })
  },

  async 'pages forwards and backwards'() {
    const number = 'C-100001'
    const truth = await wholeList(number, 'activities', 15)
    for (const direction of ['first', 'last']) {
      const { client } = clientWith()
      let connection, cursor
      for (let page = 0; page < 3; page += 1) {
        const { data } = await client.query(PAGE, { number, [direction]: 5, ...cursor }).toPromise()
        connection = data.customer.activities
        const { startCursor, endCursor } = connection.pageInfo
        cursor = direction === 'first' ? { after: endCursor } : { before: startCursor }
      }
      const ids = connection.edges.map((edge) => edge.node.id)
      check(same(ids, truth[direction]), `three pages by ${direction} are one list of 15 rows`)
    }
  },

  async 'points after adjustPoints'() {
    const { client, sent } = clientWith()
    const number = 'C-100003', shown = []
    const watching = client.query(POINTS, { number }).subscribe(({ data }) => shown.push(data?.customer))
    const { data } = await client.query(POINTS, { number }).toPromise()
    const requests = sent.length
    const before = data.customer.points.spendable
    const input = { customerId: data.customer.id, points: 7, reason: 'A check', idempotencyKey: crypto.randomUUID() }
    await client.mutation(ADJUST, { input }).toPromise()
    const truth = (await ask(POINTS, { number })).data.customer.points.spendable
    const now = shown.at(-1).points.spendable
    check(
      now === truth && truth === before + 7 && sent.length === requests + 1,
      `adjustPoints: ${before} + 7 = ${now} on screen, by the payload alone`,
    )
    watching.unsubscribe()
  },

  async 'a token that has expired'() {
    const { client, sent, refreshed } = clientWith({ token: TOKENS.EXPIRED })
    const customers = await Promise.all(
      NUMBERS.map(async (number) => (await client.query(POINTS, { number }).toPromise()).data?.customer),
    )
    checkRefresh(customers, refreshed(), sent)
  },

  async 'a gateway that is overloaded'() {
    const { client, sent } = clientWith({ answers: [overloaded] })
    const began = Date.now()
    const { data } = await client.query(VIEWER, {}).toPromise()
    const seconds = (Date.now() - began) / 1000
    check(data?.viewer && seconds >= 1 && sent[0].status === 503, 'OVERLOADED: repeated after retryAfterSeconds')
  },

  async 'hashes instead of documents'() {
    const { client, sent } = clientWith()
    const { data } = await client.query(VIEWER, {}).toPromise()
    const bodies = sent.map((request) => JSON.parse(request.body))
    const refused = bodies[0].extensions.persistedQuery && !bodies[0].query
    check(
      data?.viewer && refused && bodies[1].query,
      `a hash alone is refused (${sent[0].status}), and the client sends the document`,
    )

    const later = clientWith({ answers: [hashNotFound] })
    const answer = await later.client.query(VIEWER, {}).toPromise()
    const second = JSON.parse(later.sent[1].body)
    check(
      answer.data?.viewer && second.query && second.extensions.persistedQuery,
      'a hash that is not found: the client sends the document with it',
    )
  },

  async 'masked fields'() {
    for (const role of ['SALES_REP', 'AFFILIATE']) {
      const { client, sent } = clientWith({ token: TOKENS[role] })
      const query = gql`query { customers(first: 5) { edges { node { id number email activities(first: 3) { edges { node {
        id title message } } } } } } }`
      const { data } = await client.query(query, {}).toPromise()
      const rows = data?.customers.edges.map((edge) => edge.node) ?? []
      const masked = rows.filter((row) => row.email === null).length
      const requests = sent.length
      await client.query(query, {}).toPromise()
      await pause(200)
      check(
        rows.length && rows.every((row) => row.number && row.activities) && sent.length === requests,
        `${role}: ${rows.length} customers are shown, ${masked} without an address, and again without a request`,
      )
    }
  },
})
