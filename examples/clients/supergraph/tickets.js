// A second subgraph: tickets of a help desk, which knows customers by their ids alone.

import { createServer } from 'node:http'
import { buildSubgraphSchema } from '@apollo/subgraph'
import { parse } from 'graphql'
import { createYoga } from 'graphql-yoga'

export const TICKETS = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])

  type Query { tickets(first: Int!): [Ticket!]! }

  interface Node { id: ID! }
  type Ticket implements Node @key(fields: "id") { id: ID! subject: String! customer: Customer }
  type Customer @key(fields: "id") { id: ID! tickets(first: Int = 20): TicketConnection! }

  type TicketConnection { nodes: [Ticket!]! pageInfo: PageInfo! }
  type PageInfo @shareable {
    hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String
  }
`

/** Starts the subgraph with one ticket for each of these customers, and returns its address. */
export async function startTickets(customerIds, port) {
  const tickets = customerIds.map((id, index) => ({ id: `tic_${index}`, subject: `Ticket ${index}`, customer: { id } }))
  const page = (nodes) => ({ nodes, pageInfo: { hasNextPage: false, hasPreviousPage: false } })
  const resolvers = {
    Query: { tickets: (_, { first }) => tickets.slice(0, first) },
    Ticket: { __resolveReference: ({ id }) => tickets.find((ticket) => ticket.id === id) },
    Customer: { tickets: ({ id }, { first }) => page(tickets.filter(({ customer }) => customer.id === id).slice(0, first)) },
  }
  const server = createServer(createYoga({ schema: buildSubgraphSchema({ typeDefs: parse(TICKETS), resolvers }) }))
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))
  return `http://127.0.0.1:${server.address().port}/graphql`
}
