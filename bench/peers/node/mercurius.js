import Fastify from 'fastify'
import mercurius from 'mercurius'
import { customersByIds, lists, pages } from './data.js'
import { resolvers, typeOf } from './resolvers.js'
import { typeDefs } from './schema.js'

const list = (name) => ({
  loader: (queries) => pages(name, queries.map(({ obj, params }) => ({ id: obj._id, first: params.first }))),
  // The cache's key would be the whole customer as text; nobody asks for the same page twice.
  opts: { cache: false },
})

const app = Fastify()
app.register(mercurius, {
  schema: typeDefs,
  resolvers: {
    ...resolvers,
    Node: { resolveType: typeOf },
    Query: { ...resolvers.Query, nodes: (_, { ids }) => customersByIds(ids) },
  },
  loaders: { Customer: Object.fromEntries(Object.keys(lists).map((name) => [name, list(name)])) },
  jit: 1,
})
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
