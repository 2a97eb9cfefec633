// Checks a stitched schema against a running gateway: `make clients ARGS=stitching`.

import { makeExecutableSchema } from '@graphql-tools/schema'
import { stitchSchemas } from '@graphql-tools/stitch'
import { graphql } from 'graphql'
import { GATEWAY, SDL, TOKENS, ask, check, recordingFetch, run, same } from '../shared/check.js'
import { customerGateway } from './gateway.js'

const customers = (await ask('{ customers(first: 100) { nodes { id name } } }')).data.customers.nodes

/** Another service, which knows customers by their ids. */
const tickets = {
  schema: makeExecutableSchema({
    typeDefs: `
      type Ticket { title: String! customer: Customer! }
      type Customer { id: ID! openTickets: Int! }
      type Query { tickets(first: Int!): [Ticket!]! ticketHolders(ids: [ID!]!): [Customer]! }
    `,
    resolvers: {
      Query: {
        tickets: (_, { first }) => customers.slice(0, first).map(({ id }, index) => ({ title: `Ticket ${index}`, customer: { id } })),
        ticketHolders: (_, { ids }) => ids.map((id) => ({ id, openTickets: id.length })),
      },
      Customer: { openTickets: ({ id }) => id.length },
    },
  }),
  merge: {
    Customer: { selectionSet: '{ id }', fieldName: 'ticketHolders', key: ({ id }) => id, argsFromKeys: (ids) => ({ ids }) },
  },
}

async function stitched(source, { token = TOKENS.ADMIN, variableValues } = {}) {
  const { sent, fetch } = recordingFetch()
  const schema = stitchSchemas({ subschemas: [customerGateway({ url: GATEWAY, sdl: SDL, fetch }), tickets] })
  const contextValue = { authorization: `Bearer ${token}` }
  return { ...(await graphql({ schema, source, variableValues, contextValue })), calls: sent.length }
}

const HOLDERS = `query ($first: Int!) {
  tickets(first: $first) { title customer { id name openTickets activities(first: 2) { edges { node { id } } } } }
}`

await run({
  async 'many keys in one call'() {
    const { data, errors, calls } = await stitched(HOLDERS, { variableValues: { first: 100 } })
    const names = data.tickets.map(({ customer }) => customer.name)
    check(
      !errors && calls === 1 && names.length === 100 && same(names, customers.map(({ name }) => name)),
      `100 customers of another service's rows: ${calls} call of nodes(ids:), each name at its row`,
    )
  },

  async 'the other way'() {
    const { data, errors, calls } = await stitched('{ customer(by: {number: "C-100001"}) { id name openTickets } }')
    check(!errors && calls === 1 && data.customer.openTickets === data.customer.id.length, 'a customer has the fields of both services')
  },

  async 'masks and rights'() {
    const { data, errors } = await stitched('{ customers(first: 5) { totalCount nodes { name email openTickets } } }', { token: TOKENS.AFFILIATE })
    const own = (await ask('{ customers(first: 5) { totalCount nodes { name } } }', {}, TOKENS.AFFILIATE)).data.customers
    const { totalCount, nodes } = data.customers
    check(
      !errors && totalCount === own.totalCount && nodes.every(({ name, email, openTickets }) => name && openTickets && email === null),
      `an affiliate's token is handed on: ${totalCount} customers of their own, e-mails masked without an error`,
    )
  },

  async 'an error keeps its code and its place'() {
    const { data, errors } = await stitched('{ tickets(first: 1) { title customer { activities(after: "no cursor") { totalCount } } } }')
    check(errors?.[0]?.extensions.code === 'BAD_CURSOR', `a refused field: ${errors?.[0]?.extensions.code} at ${errors?.[0]?.path?.join('.')}`)
  },
})
