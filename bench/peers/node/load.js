// Load: `node load.js FILE` with { url, connections, seconds, bodies, headers } prints what came back, as JSON.
// Connections go through the bodies in turn, each from a place of its own, with the next of the headers each.
import { readFileSync } from 'node:fs'
import autocannon from 'autocannon'

const { url, connections, seconds, bodies, headers } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const times = []
let started = 0

const setupClient = (client) => {
  const own = { 'content-type': 'application/json', ...headers[started % headers.length] }
  const first = Math.floor((started++ * bodies.length) / connections)
  client.setRequests(
    [...bodies.slice(first), ...bodies.slice(0, first)].map((body) => ({ method: 'POST', headers: own, body })),
  )
}

const instance = autocannon({ url, connections, duration: seconds, timeout: 60, setupClient })
instance.on('response', (_client, _status, _bytes, milliseconds) => times.push(milliseconds))
const result = await instance
times.sort((one, other) => one - other)
const percentile = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))]
console.log(JSON.stringify({
  responses: times.length,
  seconds: result.duration,
  failed: result.non2xx + result.errors + result.timeouts,
  bytes: result.throughput.total / times.length,
  p50: percentile(0.5),
  p99: percentile(0.99),
}))
