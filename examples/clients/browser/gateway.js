// A plain request from a page of another origin: copy this file. The gateway lists the page's origin in CORS_ORIGINS.

/** Asks the gateway, and waits as long as it says where an error may pass. Needs no library and no cookie. */
export async function ask({ url, token, query, variables = {}, headers = {}, tries = 3 }) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
  })
  // A page of another origin may read Retry-After and X-Request-ID: the gateway exposes them.
  const retryAfterSeconds = Number(response.headers.get('retry-after'))
  if (tries > 1 && retryAfterSeconds) {
    await new Promise((resolve) => setTimeout(resolve, retryAfterSeconds * 1000))
    return ask({ url, token, query, variables, headers, tries: tries - 1 })
  }
  return {
    status: response.status,
    retryAfterSeconds,
    requestId: response.headers.get('x-request-id'),
    ...(await response.json()),
  }
}
