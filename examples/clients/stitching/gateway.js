// This gateway as a part of a stitched schema: copy this file. `sdl` is schema.graphql, or what GET /schema.graphql returns.

import { buildHTTPExecutor } from '@graphql-tools/executor-http'
import { buildSchema } from 'graphql'

/** A subschema for `stitchSchemas`. Requests go on with the token of the one who asked (`context.authorization`). */
export function customerGateway({ url, sdl, fetch }) {
  return {
    schema: buildSchema(sdl),
    executor: buildHTTPExecutor({
      endpoint: url,
      fetch,
      headers: (request) => ({ authorization: request.context.authorization }),
    }),
    merge: {
      // The customers of one answer, up to 100 of them, are asked for in one call. Each other node merges likewise.
      Customer: {
        selectionSet: '{ id }',
        fieldName: 'nodes',
        key: ({ id }) => id,
        argsFromKeys: (ids) => ({ ids }),
        dataLoaderOptions: { maxBatchSize: 100 },
      },
    },
  }
}
