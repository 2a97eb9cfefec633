// Resolvers that all three share. Sources are the documents; a list is the server's own matter.
import { GraphQLScalarType } from 'graphql'
import { customerBy, titles } from './data.js'

const id = ({ _id }) => _id
const Node = { id }
const types = {
  cus: 'Customer', act: 'Activity', pts: 'PointsEntry', cpn: 'Coupon', txn: 'Transaction', pas: 'Pass', sts: 'StatusChange',
}

export const resolvers = {
  DateTime: new GraphQLScalarType({ name: 'DateTime', serialize: (time) => time.toISOString() }),
  Decimal: new GraphQLScalarType({ name: 'Decimal', serialize: (decimal) => decimal.toString() }),
  Node: { resolveType: ({ _id }) => types[_id.slice(0, 3)] },
  Query: { customer: (_, { by }) => customerBy(by) },
  Customer: { id, country: (customer) => customer.country ?? customer.billingAddress?.country },
  Activity: { id, title: (activity) => titles[activity.type] ?? activity.title },
  PointsEntry: Node,
  Coupon: Node,
  Transaction: Node,
  Pass: Node,
  StatusChange: Node,
}
