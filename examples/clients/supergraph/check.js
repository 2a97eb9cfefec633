// Checks this gateway as a subgraph behind Apollo Gateway and Hive Gateway: `make clients ARGS=supergraph`.

import { createServer } from 'node:http'
import { composeServices } from '@apollo/composition'
import { parse } from 'graphql'
import { GATEWAY, TOKENS, ask, check, run, same } from '../shared/check.js'
import { startApollo, startHive } from './gateways.js'
import { TICKETS, startTickets } from './tickets.js'

/** Stands before this gateway and lists the requests that reach it. */
async function startRecorder() {
  const sent = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { authorization, accept = '*/*', 'content-type': type } = request.headers
    sent.push({ authorization, ...JSON.parse(body) })
    const headers = { accept, 'content-type': type, ...(authorization && { authorization }) }
    const answer = await fetch(GATEWAY, { method: 'POST', headers, body })
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') }).end(await answer.text())
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { sent, url: `http://127.0.0.1:${server.address().port}/graphql` }
}

const codes = ({ errors = [] }) => errors.map((error) => error.extensions?.code)
const numbers = (customers) => customers.map(({ number }) => number).sort()
const compose = (...subgraphs) =>
  composeServices(subgraphs.map(([name, url, sdl]) => ({ name, url, typeDefs: parse(sdl) })))

const { sdl } = (await ask('{ _service { sdl } }')).data._service
const customers = (await ask('{ customers(first: 100) { nodes { id number } } }')).data.customers.nodes
const shared = (await ask('{ customer(by: {number: "C-100004"}) { email } }')).data.customer.email // with C-100005
const recorder = await startRecorder()
const tickets = await startTickets([...customers.map(({ id }) => id), 'cus_nobody'], 0)
const ours = ['customers', recorder.url, sdl]
const { supergraphSdl, errors = [], hints = [] } = compose(ours, ['tickets', tickets, TICKETS])

const composition = {
  async 'composition'() {
    check(supergraphSdl && !errors.length, `two subgraphs compose, with ${hints.length} hints ${errors.map(String)}`)
    for (const hint of hints) console.log(`   ${hint.definition.code}: ${hint.message}`)
    const keys = sdl.match(/^type \w+ implements Node @key\(fields: "id"\)/gm).length
    check(keys === sdl.match(/^type \w+ implements Node/gm).length, `${keys} types of nodes have the key id`)
    check(/input CustomerBy[^{]*@oneOf/.test(supergraphSdl), 'the supergraph keeps @oneOf')

    const second = TICKETS.replace('"@shareable"', '"@shareable", "@override"')
    const node = (how) => second.replace('tickets(first: Int!)', `node(id: ID!): Node ${how} tickets(first: Int!)`)
    const twice = compose(ours, ['tickets', tickets, node('')])
    const moved = compose(ours, ['tickets', tickets, node('@override(from: "customers")')])
    check(
      same(twice.errors?.map((error) => error.extensions.code), ['INVALID_FIELD_SHARING']) && moved.supergraphSdl,
      'another subgraph that has Query.node takes it over by @override, or does not compose',
    )
  },
}

/** The same for either gateway. */
const behind = (name, url) => {
  const send = async (query, variables = {}, token = TOKENS.ADMIN) => {
    recorder.sent.length = 0
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables }),
    })
    return response.json()
  }
  const entities = () => recorder.sent.filter(({ query }) => query.includes('_entities'))
  const TICKETS_AND_CUSTOMERS = `query ($first: Int!) {
    tickets(first: $first) { subject customer { id number email activities(first: 10) { nodes { title } } } }
  }`
  const CUSTOMERS_WITH_TICKETS = `query ($first: Int!) {
    customers(first: $first) { nodes { number email tickets { nodes { subject } } } }
  }`
  const BY = `query ($by: CustomerBy!) { customer(by: $by) { number tickets { nodes { subject } } } }`

  return {
    async [`${name}: across subgraphs`]() {
      const [{ number }] = customers
      const variable = await send(BY, { by: { number } })
      const literal = await send(`{ customer(by: {number: "${number}"}) { number tickets { nodes { subject } } } }`)
      const whole = { customer: { number, tickets: { nodes: [{ subject: 'Ticket 0' }] } } }
      check(same(variable.data, whole) && same(literal.data, whole), `${name}: CustomerBy and a field of another subgraph`)
      check(
        recorder.sent.every(({ authorization }) => authorization === `Bearer ${TOKENS.ADMIN}`),
        `${name}: the client's token comes with each request`,
      )
      const both = await send(BY, { by: { number, email: 'a@example.com' } })
      check(!both.data?.customer && both.errors, `${name}: CustomerBy with two fields is refused: ${both.errors?.[0].message}`)
    },

    async [`${name}: entities`]() {
      const { data, errors } = await send(TICKETS_AND_CUSTOMERS, { first: customers.length })
      const rows = data?.tickets.map(({ customer }) => customer) ?? []
      check(
        !errors && rows.every((row, index) => row.number === customers[index].number && row.activities.nodes),
        `${name}: ${rows.length} customers of another subgraph's rows, in order`,
      )
      const sizes = entities().map(({ variables }) => Object.values(variables)[0].length)
      check(same(sizes, [customers.length]), `${name}: they are ${sizes.length} request with ${sizes} representations`)
      const beyond = await send(TICKETS_AND_CUSTOMERS, { first: customers.length + 1 })
      check(
        codes(beyond).includes('BAD_USER_INPUT') && beyond.data?.tickets.every(({ subject }) => subject),
        `${name}: 101 at once are ${codes(beyond)[0]}, and the other subgraph's values are there`,
      )
    },

    async [`${name}: masks`]() {
      const { data, errors } = await send(CUSTOMERS_WITH_TICKETS, { first: 100 }, TOKENS.AFFILIATE)
      const rows = data?.customers.nodes ?? []
      check(
        !errors && rows.length && rows.every(({ email, tickets }) => email === null && tickets.nodes.length === 1),
        `${name}: AFFILIATE reads ${rows.length} customers with tickets, without addresses and without errors`,
      )
      const all = await send(TICKETS_AND_CUSTOMERS, { first: 100 }, TOKENS.AFFILIATE)
      const seen = all.data?.tickets.map(({ customer }) => customer).filter((customer) => customer?.number) ?? []
      check(
        same(numbers(seen), numbers(rows)) && seen.every(({ email }) => email === null),
        `${name}: of 100 tickets AFFILIATE sees the customers of ${seen.length}, the same ones; others are null`,
      )
    },

    async [`${name}: errors`]() {
      const ambiguous = await send(BY, { by: { email: shared } })
      check(same(codes(ambiguous), ['AMBIGUOUS']), `${name}: the code of a field's error passes: ${codes(ambiguous)}`)
      const expired = await send(BY, { by: { number: 'C-100001' } }, TOKENS.EXPIRED)
      check(same(codes(expired), ['UNAUTHENTICATED']), `${name}: an expired token is ${codes(expired)}`)
    },

    async [`${name}: a change`]() {
      const input = { customerId: customers[1].id, message: `By ${name}`, idempotencyKey: crypto.randomUUID() }
      const { data, errors } = await send(
        `mutation ($input: AddNoteInput!) { addNote(input: $input) {
          note { message } customer { tickets { nodes { subject } } } userErrors { code } } }`,
        { input },
      )
      check(
        !errors && data.addNote.note.message === input.message && data.addNote.customer.tickets.nodes.length === 1,
        `${name}: a change, with a field of another subgraph in its payload`,
      )
    },
  }
}

await run({
  ...composition,
  ...behind('Apollo Gateway', await startApollo(supergraphSdl, 0)),
  ...behind('Hive Gateway', await startHive(supergraphSdl, 0, { logging: false })),
})
