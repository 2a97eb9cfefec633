// The part of the gateway's schema that the workloads ask for, under the same names.

export const typeDefs = /* GraphQL */ `
  scalar DateTime
  scalar Decimal

  interface Node { id: ID! }

  type Query {
    customer(by: CustomerBy!): Customer
    nodes(ids: [ID!]!): [Node]!
  }

  input CustomerBy @oneOf { id: ID number: String }

  type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! }

  type Customer implements Node {
    id: ID!
    number: String!
    name: String!
    firstName: String
    lastName: String
    email: String
    country: String
    registeredAt: DateTime!
    paymentCount: Int!
    status: CustomerStatus!
    activities(first: Int = 20): ActivityConnection
    pointsHistory(first: Int = 20): PointsEntryConnection
    coupons(first: Int = 20): CouponConnection
    transactions(first: Int = 20): TransactionConnection
    passes(first: Int = 20): PassConnection
    statusHistory(first: Int = 20): StatusChangeConnection
  }
  enum CustomerStatus { ACTIVE BLOCKED DEACTIVATED ANONYMISED MERGED }

  type ActivityConnection { nodes: [Activity]! pageInfo: PageInfo! }
  type Activity implements Node {
    id: ID!
    type: String!
    title: String!
    group: ActivityGroup!
    source: String!
    occurredAt: DateTime!
    recordedAt: DateTime!
    message: String
    points: Int
  }
  enum ActivityGroup {
    CUSTOMER ADDRESS STATUS SUBSCRIPTION ORDER FULFILLMENT BILLING PAYMENT REFUND CREDIT_CONTROL EMAIL NOTE POINTS COUPON
    TRANSACTION PASS MEMBERSHIP COMPLIANCE OTHER
  }

  type PointsEntryConnection { nodes: [PointsEntry]! pageInfo: PageInfo! }
  type PointsEntry implements Node {
    id: ID!
    seq: Int!
    kind: PointsKind!
    points: Int!
    balanceAfter: Int!
    reason: String
    occurredAt: DateTime!
    source: String!
  }
  enum PointsKind { EARNED SPENT ADJUSTED EXPIRED REFUNDED RESERVED RELEASED PENDING }

  type CouponConnection { nodes: [Coupon]! pageInfo: PageInfo! }
  type Coupon implements Node { id: ID! code: String value: String! redeemed: Boolean! }

  type TransactionConnection { nodes: [Transaction]! pageInfo: PageInfo! }
  type Transaction implements Node {
    id: ID!
    number: String!
    type: TransactionType!
    status: TransactionStatus!
    occurredAt: DateTime!
    amount: Money
  }
  type Money { amount: Decimal! currency: String! }
  enum TransactionType { SALE REFUND VOID }
  enum TransactionStatus { ACCEPTED PENDING REJECTED PARTIALLY_REFUNDED REFUNDED VOIDED }

  type PassConnection { nodes: [Pass]! pageInfo: PageInfo! }
  type Pass implements Node { id: ID! serialNumber: String! type: PassType! }
  enum PassType { APPLE GOOGLE }

  type StatusChangeConnection { nodes: [StatusChange]! pageInfo: PageInfo! }
  type StatusChange implements Node {
    id: ID!
    from: CustomerStatus
    to: CustomerStatus!
    reason: String
    changedAt: DateTime!
  }
`
