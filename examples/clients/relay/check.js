// Checks Relay against a running gateway: `make clients ARGS=relay`. Without React, by the store alone.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import relay from 'relay-runtime'
import {
  GATEWAY, NUMBERS, TOKENS, ask, cacheEqualsServer, check, checkRefresh, overloaded, pause, recordingFetch, run, same, walk,
  wholeList,
} from '../shared/check.js'
import { makeEnvironment } from './environment.js'

const { ConnectionHandler, commitMutation, createOperationDescriptor, fetchQuery } = relay

const tagged = walk().documents.map(({ query }) => `graphql\`${query}\``).join('\n')
mkdirSync('generated', { recursive: true })
writeFileSync('walk.js', `// Written by check.js.\nimport { graphql } from 'relay-runtime'\n${tagged}\n`)
execFileSync('node', ['node_modules/relay-compiler/cli.js'], { stdio: ['ignore', 'ignore', 'inherit'] })
const artifact = async (name) => (await import(`./generated/${name}.graphql.js`)).default

function environmentWith({ token = TOKENS.ADMIN, answers } = {}) {
  const recorded = recordingFetch(answers)
  let current = token, refreshed = 0
  const environment = makeEnvironment({
    url: GATEWAY,
    fetch: recorded.fetch,
    getToken: () => current,
    refreshToken: async () => { refreshed += 1; await pause(200); current = TOKENS.ADMIN },
  })
  return { environment, sent: recorded.sent, refreshed: () => refreshed }
}

/** Fetches into the store and keeps it there, as a component that is on screen does. */
async function load(environment, query, variables = {}) {
  const operation = createOperationDescriptor(query, variables)
  environment.retain(operation)
  await fetchQuery(environment, query, variables, { fetchPolicy: 'network-only' }).toPromise()
  return read(environment, query, variables)
}

const read = (environment, query, variables = {}) =>
  environment.lookup(createOperationDescriptor(query, variables).fragment).data

const commit = (environment, mutation, variables) =>
  new Promise((onCompleted, onError) => {
    commitMutation(environment, { mutation, variables, onCompleted, onError })
  })

await run({
  async 'cache equals server'() {
    const { environment } = environmentWith()
    const artifacts = {}
    for (const { name } of walk().documents) artifacts[name] = await artifact(name)
    await cacheEqualsServer({
      fetchIntoCache: ({ name, variables }) => load(environment, artifacts[name], variables),
      readFromCache: ({ name, variables }) => read(environment, artifacts[name], variables),
    })
  },

  async 'pages forwards and backwards'() {
    const number = 'C-100001'
    const truth = await wholeList(number, 'activities', 15)
    const { environment } = environmentWith()
    for (const [direction, name] of [['first', 'documentsForwardsQuery'], ['last', 'documentsBackwardsQuery']]) {
      const query = await artifact(name)
      let connection, cursor
      for (let page = 0; page < 3; page += 1) {
        await load(environment, query, { number, [direction]: 5, ...cursor })
        connection = read(environment, query, { number, [direction]: 5 }).customer.activities
        const { startCursor, endCursor } = connection.pageInfo
        cursor = direction === 'first' ? { after: endCursor } : { before: startCursor }
      }
      const ids = connection.edges.map((edge) => edge.node.id)
      check(same(ids, truth[direction]), `three pages by ${direction} are one list of 15 rows`)
    }
  },

  async 'points after adjustPoints'() {
    const { environment, sent } = environmentWith()
    const number = 'C-100003'
    const query = await artifact('documentsPointsQuery'), mutation = await artifact('documentsAdjustMutation')
    const { customer } = await load(environment, query, { number })
    const requests = sent.length, before = customer.points.spendable
    const input = { customerId: customer.id, points: 7, reason: 'A check', idempotencyKey: crypto.randomUUID() }
    await commit(environment, mutation, { input })
    const shown = read(environment, query, { number }).customer.points.spendable
    const truth = (await ask(query.params.text, { number })).data.customer.points.spendable
    check(
      shown === truth && truth === before + 7 && sent.length === requests + 1,
      `adjustPoints: ${before} + 7 = ${shown} on screen, by the payload alone`,
    )
  },

  async 'a list on the screen grows'() {
    const { environment, sent } = environmentWith()
    const variables = { number: 'C-100003', first: 5 }
    const query = await artifact('documentsForwardsQuery')
    const { customer } = await load(environment, query, variables)
    const requests = sent.length
    const connections = [ConnectionHandler.getConnectionID(customer.id, 'forwards_activities')]
    const input = { customerId: customer.id, points: 7, reason: 'A check', idempotencyKey: crypto.randomUUID() }
    await commit(environment, await artifact('documentsGrowMutation'), { input, connections })
    const shown = read(environment, query, variables).customer.activities.edges.map((edge) => edge.node.id)
    const truth = await wholeList('C-100003', 'activities', 6)
    check(same(shown, truth.first) && sent.length === requests + 1, 'activityEdge puts the change on top of the timeline')
  },

  async 'a token that has expired'() {
    const { environment, sent, refreshed } = environmentWith({ token: TOKENS.EXPIRED })
    const query = await artifact('documentsPointsQuery')
    const customers = await Promise.all(NUMBERS.map(async (number) => (await load(environment, query, { number })).customer))
    checkRefresh(customers, refreshed(), sent)
  },

  async 'a gateway that is overloaded'() {
    const { environment, sent } = environmentWith({ answers: [overloaded] })
    const began = Date.now()
    const { viewer } = await load(environment, await artifact('documentsViewerQuery'))
    const seconds = (Date.now() - began) / 1000
    check(viewer && seconds >= 1 && sent[0].status === 503, 'OVERLOADED: repeated after retryAfterSeconds')
  },

  async 'masked fields'() {
    for (const role of ['SALES_REP', 'AFFILIATE']) {
      const { environment } = environmentWith({ token: TOKENS[role] })
      const data = await load(environment, await artifact('documentsCustomersQuery'))
      const rows = data.customers.edges.map((edge) => edge.node)
      check(
        rows.length && rows.every((row) => row.number && row.activities),
        `${role}: ${rows.length} customers are shown, whatever is masked`,
      )
    }
  },
})
