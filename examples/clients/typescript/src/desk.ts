// What a front end does with the types. Each line that must not compile says so.

import { execute, type Gateway } from './execute.js'
import { CUSTOMER as WITH_CODEGEN } from './with-codegen.js'
import { CUSTOMER as WITH_TADA } from './with-tada.js'
import type { ResultOf } from './tada.js'

export type Customer = NonNullable<ResultOf<typeof WITH_TADA>['customer']>

/** What either generator's result must be, if both mean the same. */
function describe(customer: Customer): string {
  const status: 'ACTIVE' | 'BLOCKED' | 'DEACTIVATED' | 'ANONYMISED' | 'MERGED' = customer.status
  const registered: string = customer.registeredAt
  const spendable: number | undefined = customer.points?.spendable
  const amount: string | undefined = customer.transactions?.edges[0]?.node?.amount?.amount
  // @ts-expect-error: money is a text, and no number
  const sum: number | undefined = amount
  // @ts-expect-error: the date of birth may be missing
  const born: string = customer.dateOfBirth
  void [sum, born]
  return [customer.name, status, registered.slice(0, 4), typeof spendable, typeof amount].join(' ')
}

export async function withCodegen(gateway: Gateway, number: string): Promise<string | null> {
  const { data } = await execute(gateway, WITH_CODEGEN, { by: { number } })
  // @ts-expect-error: a customer is found by exactly one of its fields
  const two = () => execute(gateway, WITH_CODEGEN, { by: { number, email: 'a@example.org' } })
  void two
  return data?.customer ? describe(data.customer) : null
}

export async function withTada(gateway: Gateway, number: string): Promise<string | null> {
  const { data } = await execute(gateway, WITH_TADA, { by: { number } })
  // @ts-expect-error: there is no such field
  const wrong = () => execute(gateway, WITH_TADA, { by: { phone: number } })
  void wrong
  return data?.customer ? describe(data.customer) : null
}
