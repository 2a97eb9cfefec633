// Resolvers that all three share. Sources are the documents; lists, and how a type is found, differ.
import { GraphQLScalarType } from 'graphql'
import { customerBy, titles } from './data.js'

const id = ({ _id }) => _id
const node = { id }
const types = {
  cus: 'Customer', act: 'Activity', pts: 'PointsEntry', cpn: 'Coupon', txn: 'Transaction', pas: 'Pass', sts: 'StatusChange',
}

export const typeOf = ({ _id }) => types[_id.slice(0, 3)]

export const resolvers = {
  DateTime: new GraphQLScalarType({ name: 'DateTime', serialize: (time) => time.toISOString() }),
  Decimal: new GraphQLScalarType({ name: 'Decimal', serialize: (decimal) => decimal.toString() }),
  Query: { customer: (_, { by }) => customerBy(by) },
  Customer: { id, country: (customer) => customer.country ?? customer.billingAddress?.country },
  Activity: { id, title: (activity) => titles[activity.type] ?? activity.title },
  PointsEntry: node,
  Coupon: node,
  Transaction: node,
  Pass: node,
  StatusChange: node,
}
