// Checks a page of another origin, in Chromium: `make clients ARGS=browser`.

import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { GATEWAY, TOKENS, check, run } from '../shared/check.js'

const files = {
  '/': ['text/html', '<!doctype html><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,">'],
  '/gateway.js': ['text/javascript', readFileSync('gateway.js')],
}
const serve = (port) =>
  new Promise((resolve) => {
    const server = createServer(({ url }, response) => {
      const [type, body] = files[url] ?? []
      response.writeHead(type ? 200 : 404, { 'content-type': type ?? 'text/plain' }).end(body)
    }).listen(port, '127.0.0.1', () => resolve(server))
  })

// What Apollo Client and Sentry or OpenTelemetry send unless they are told otherwise.
const USUAL = {
  'apollo-require-preflight': 'true',
  'apollographql-client-name': 'desk',
  'apollographql-client-version': '1.0',
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  tracestate: 'desk=1',
  'sentry-trace': '4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1',
  baggage: 'sentry-environment=production',
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  ],
})
const listed = await serve(Number(process.env.PAGE_PORT)), stranger = await serve(0)

/** Asks from a page of that port, by the file that a front end would copy. */
async function askFrom(port, request) {
  const page = await browser.newPage()
  try {
    await page.goto(`http://127.0.0.1:${port}/`)
    return await page.evaluate(async (request) => {
      const { ask } = await import('/gateway.js')
      try {
        return await ask(request)
      } catch (error) {
        return { thrown: String(error) }
      }
    }, { url: GATEWAY, query: '{ viewer { id subject } }', ...request })
  } finally {
    await page.close()
  }
}

await run({
  async 'a page of another origin'() {
    const answer = await askFrom(process.env.PAGE_PORT, { token: TOKENS.ADMIN, headers: USUAL })
    check(
      answer.data?.viewer.subject === 'admin',
      'a page of a listed origin is answered, with the headers that Apollo and Sentry add',
    )
    check(answer.requestId, 'it reads X-Request-ID')
  },

  async 'Retry-After'() {
    const customers = '{ customers(first: 100) { nodes { id } } }'
    const requests = { token: TOKENS.FINANCE, query: customers, tries: 1 }
    let answer
    for (let request = 0; request < 10 && answer?.status !== 429; request += 1)
      answer = await askFrom(process.env.PAGE_PORT, requests)
    const said = answer.errors?.[0].extensions.retryAfterSeconds
    check(
      answer.status === 429 && answer.retryAfterSeconds > 0 && answer.retryAfterSeconds === said,
      `it reads Retry-After of a 429: ${answer.retryAfterSeconds} s, as retryAfterSeconds has it`,
    )
  },

  async 'a token that has expired'() {
    const answer = await askFrom(process.env.PAGE_PORT, { token: TOKENS.EXPIRED })
    check(answer.status === 401 && answer.errors[0].extensions.code === 'UNAUTHENTICATED', 'it reads why a 401 came')
  },

  async 'a page of an origin that is not listed'() {
    const answer = await askFrom(stranger.address().port, { token: TOKENS.ADMIN })
    check(answer.thrown?.includes('Failed to fetch'), 'a page of any other origin reads nothing')
  },
}, async () => {
  await browser.close()
  listed.close()
  stranger.close()
})
