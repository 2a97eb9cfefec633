// For Apollo Server and GraphQL Yoga: DataLoaders, made for each request, and the resolvers that use them.
import DataLoader from 'dataloader'
import { customersByIds, lists, pages } from './data.js'
import { resolvers as shared, typeOf } from './resolvers.js'

const names = Object.keys(lists)

export const makeContext = () => ({
  customers: new DataLoader(customersByIds),
  pages: Object.fromEntries(names.map((name) => [
    name,
    new DataLoader((asked) => pages(name, asked), { cacheKeyFn: ({ id, first }) => `${id} ${first}` }),
  ])),
})

const list = (name) => (customer, { first }, context) => context.pages[name].load({ id: customer._id, first })

export const resolvers = {
  ...shared,
  Node: { __resolveType: typeOf },
  Query: { ...shared.Query, nodes: (_, { ids }, context) => context.customers.loadMany(ids) },
  Customer: { ...shared.Customer, ...Object.fromEntries(names.map((name) => [name, list(name)])) },
}
