// Operations that GraphQL Code Generator writes types for.

import { graphql } from '../generated/codegen/index.js'

export const CUSTOMER = graphql(`
  query CustomerWithCodegen($by: CustomerBy!) {
    customer(by: $by) {
      id name status dateOfBirth registeredAt
      points { id spendable }
      transactions(first: 5) { edges { node { id occurredAt amount { amount currency } } } }
    }
  }
`)
