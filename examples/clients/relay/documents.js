// The documents of check.js, for Relay's compiler. Nobody executes this file.

import { graphql } from 'relay-runtime'

export const points = graphql`
  query documentsPointsQuery($number: String!) {
    customer(by: {number: $number}) { id points { id spendable } }
  }
`
export const adjust = graphql`
  mutation documentsAdjustMutation($input: AdjustPointsInput!) {
    adjustPoints(input: $input) { customer { id points { id spendable } } userErrors { code message } }
  }
`
export const grow = graphql`
  mutation documentsGrowMutation($input: AdjustPointsInput!, $connections: [ID!]!) {
    adjustPoints(input: $input) {
      activityEdge @prependEdge(connections: $connections) { cursor node { id title } }
      userErrors { code message }
    }
  }
`
export const forwards = graphql`
  query documentsForwardsQuery($number: String!, $first: Int, $after: String) {
    customer(by: {number: $number}) {
      id
      activities(first: $first, after: $after) @connection(key: "forwards_activities") {
        edges { cursor node { id title } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
`
export const backwards = graphql`
  query documentsBackwardsQuery($number: String!, $last: Int, $before: String) {
    customer(by: {number: $number}) {
      id
      activities(last: $last, before: $before) @connection(key: "backwards_activities") {
        edges { cursor node { id title } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
`
export const viewer = graphql`
  query documentsViewerQuery {
    viewer { id subject }
  }
`
export const customers = graphql`
  query documentsCustomersQuery {
    customers(first: 5) {
      edges { node { id number email activities(first: 3) { edges { node { id title message } } } } }
    }
  }
`
