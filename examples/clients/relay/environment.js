// Relay's environment for this gateway: copy this file.

import relay from 'relay-runtime'

const { Environment, Network, RecordSource, Store } = relay
const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000))

export function makeEnvironment({ url, getToken, refreshToken, fetch = globalThis.fetch }) {
  let refreshing // one new token for all requests that wait for it
  const refresh = () => (refreshing ??= refreshToken().finally(() => { refreshing = undefined }))

  /** Gets a new token after UNAUTHENTICATED, waits `retryAfterSeconds` after errors that may pass, and tries again. */
  async function send({ text }, variables, tries = 3) {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${getToken()}`,
        'content-type': 'application/json',
        accept: 'application/graphql-response+json',
      },
      body: JSON.stringify({ query: text, variables }),
    })
    const result = await response.json()
    const { code, retryAfterSeconds } = result.data ? {} : (result.errors?.[0]?.extensions ?? {})
    if (tries && code === 'UNAUTHENTICATED') {
      await refresh()
      return send({ text }, variables, tries - 1)
    }
    if (tries && retryAfterSeconds) {
      await sleep(retryAfterSeconds)
      return send({ text }, variables, tries - 1) // a change, too: its idempotencyKey stays the same
    }
    // What a role may not read is null, with an error; Relay shows the rest, and `@catch` has the errors.
    return result
  }

  return new Environment({
    network: Network.create((request, variables) => send(request, variables)),
    store: new Store(new RecordSource()),
  })
}
