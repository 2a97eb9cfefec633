// A typed request without a library: copy this file.

import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { print } from 'graphql'

export interface GatewayError {
  message: string
  path?: (string | number)[]
  extensions: { code: string; retryAfterSeconds?: number }
}

export interface Gateway {
  url: string
  getToken(): string
  /** Gets a new token; requests that ask for one meanwhile should share it. */
  refreshToken(): Promise<void>
  fetch?: typeof fetch
}

/** Returns what could be read and the errors of what could not; gets a new token and waits where that may help. */
export async function execute<Result, Variables>(
  gateway: Gateway,
  document: TypedDocumentNode<Result, Variables>,
  variables: Variables,
  tries = 3,
): Promise<{ data: Result | null; errors: GatewayError[] }> {
  const response = await (gateway.fetch ?? fetch)(gateway.url, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.getToken()}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query: print(document), variables }),
  })
  const { data = null, errors = [] }: { data?: Result | null; errors?: GatewayError[] } = await response.json()
  const { code, retryAfterSeconds } = data ? {} : (errors[0]?.extensions ?? {})
  if (tries > 1 && code === 'UNAUTHENTICATED') await gateway.refreshToken()
  else if (tries > 1 && retryAfterSeconds) await new Promise((resolve) => setTimeout(resolve, retryAfterSeconds * 1000))
  else return { data, errors }
  return execute(gateway, document, variables, tries - 1)
}
