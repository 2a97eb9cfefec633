// Two gateways for the supergraph: copy one. Each forwards the client's token, and this gateway decides by it who sees what.

import { createServer } from 'node:http'
import { ApolloGateway, RemoteGraphQLDataSource } from '@apollo/gateway'
import { ApolloServer } from '@apollo/server'
import { startStandaloneServer } from '@apollo/server/standalone'
import { createGatewayRuntime } from '@graphql-hive/gateway-runtime'

class WithToken extends RemoteGraphQLDataSource {
  willSendRequest({ request, context }) {
    if (context.authorization) request.http.headers.set('authorization', context.authorization)
  }
}

/** Starts Apollo Gateway, and returns its address. */
export async function startApollo(supergraphSdl, port) {
  const gateway = new ApolloGateway({ supergraphSdl, buildService: ({ url }) => new WithToken({ url }) })
  const context = async ({ req }) => ({ authorization: req.headers.authorization })
  return (await startStandaloneServer(new ApolloServer({ gateway }), { context, listen: { port } })).url
}

/** Starts Hive Gateway, and returns its address. */
export async function startHive(supergraph, port, options = {}) {
  const gateway = createGatewayRuntime({
    supergraph,
    propagateHeaders: {
      fromClientToSubgraphs: ({ request }) => ({ authorization: request.headers.get('authorization') }),
    },
    ...options,
  })
  const server = createServer(gateway)
  await new Promise((resolve) => server.listen(port, resolve))
  return `http://localhost:${server.address().port}/graphql`
}
