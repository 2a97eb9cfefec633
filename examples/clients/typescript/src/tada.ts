// gql.tada for this gateway: copy this file, and the plugin's entry in tsconfig.json.

import { initGraphQLTada } from 'gql.tada'
import type { introspection } from '../generated/graphql-env.js'

export const graphql = initGraphQLTada<{
  introspection: introspection
  scalars: { DateTime: string; Date: string; Decimal: string; SafeInt: number; JSON: Record<string, unknown> }
}>()

export type { ResultOf, VariablesOf } from 'gql.tada'
