// The same operation with the types that gql.tada infers.

import { graphql } from './tada.js'

export const CUSTOMER = graphql(`
  query CustomerWithTada($by: CustomerBy!) {
    customer(by: $by) {
      id name status dateOfBirth registeredAt
      points { id spendable }
      transactions(first: 5) { edges { node { id occurredAt amount { amount currency } } } }
    }
  }
`)
