// What the scripts of all clients share: lines that say what held, plain requests without a cache, and the comparison
// of what a cache returns with what the server says. A front end needs none of it.

import { readFileSync } from 'node:fs'

const setting = (name) => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set. "make clients" starts a gateway and sets it.`)
  return value
}

export const GATEWAY = setting('GATEWAY')
export const SDL = readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8')
export const TOKENS = JSON.parse(setting('TOKENS'))
export const walk = () => JSON.parse(readFileSync(setting('WALK'), 'utf8'))

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

let failures = 0

export function check(held, what) {
  console.log(`${held ? 'ok' : 'FAILED'} ${what}`)
  if (!held) failures += 1
}

/** Runs the checks one after another, then `close`; one that throws has failed, and the others go on. */
export async function run(checks, close = async () => {}) {
  for (const [name, act] of Object.entries(checks)) {
    try {
      await act()
    } catch (error) {
      check(false, `${name}: ${error?.stack ?? error}`)
    }
  }
  await close()
  process.exit(failures ? 1 : 0)
}

/** Asks the gateway without any client. */
export async function ask(query, variables = {}, token = TOKENS.ADMIN) {
  const response = await fetch(GATEWAY, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  })
  return response.json()
}

/** Returns fetch, with a list of the requests that it sent, and of the statuses that came back. */
export function recordingFetch(answers = []) {
  const sent = []
  const send = async (url, options) => {
    const request = { url: String(url), ...options }
    sent.push(request)
    const response = answers.shift()?.() ?? (await fetch(url, options))
    request.status = response.status
    return response
  }
  return { sent, fetch: send }
}

const refusal = (status, message, extensions) => () =>
  new Response(JSON.stringify({ errors: [{ message, extensions }] }), {
    status,
    headers: { 'content-type': 'application/graphql-response+json' },
  })

/** The answer of a gateway that has too much to do. */
export const overloaded = refusal(503, 'Try again.', { code: 'OVERLOADED', retryAfterSeconds: 1 })

/** The answer of a gateway that keeps documents, to a hash that it does not know. */
export const hashNotFound = refusal(200, 'PersistedQueryNotFound', { code: 'PERSISTED_QUERY_NOT_FOUND' })

/** Yields each operation of the walk: a document with its variables. */
export function* operations() {
  for (const { name, query, variables } of walk().documents)
    for (const each of variables) yield { name, query, variables: each }
}

const isLeaf = (value) =>
  value === null || typeof value !== 'object' || (Array.isArray(value) && value.every(isLeaf))

/** Yields every object of an answer that has values of its own. The frames of a page have none. */
function* rows(value, path = '') {
  if (Array.isArray(value)) {
    for (const [index, each] of value.entries()) yield* rows(each, `${path}.${index}`)
  } else if (value && typeof value === 'object') {
    const isFrame = 'edges' in value || 'cursor' in value || path.endsWith('pageInfo')
    const leaves = Object.keys(value).filter((key) => key !== '__typename' && isLeaf(value[key]))
    if (path && !isFrame && leaves.length) yield [path, leaves]
    for (const [key, each] of Object.entries(value)) yield* rows(each, path && `${path}.${key}` || key)
  }
}

export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other)
const at = (value, path) => path.split('.').reduce((found, key) => found?.[key], value)

/** Asks the server plainly, a few at once; returns the data in the order of the operations. */
async function answersTo(all, atOnce = 8) {
  const data = []
  for (let start = 0; start < all.length; start += atOnce) {
    const answers = await Promise.all(all.slice(start, start + atOnce).map((each) => ask(each.query, each.variables)))
    data.push(...answers.map((answer) => answer.data))
  }
  return data
}

/**
 * Walks over all documents: asks the server plainly, then through the client, then plainly again, and compares what the
 * cache returns for all of them at the end. A value that the server itself tells differently the second time (a link
 * that is good for minutes) is not compared.
 */
export async function cacheEqualsServer({ fetchIntoCache, readFromCache }) {
  const all = [...operations()]
  const before = await answersTo(all)
  for (const each of all) await fetchIntoCache(each)
  const after = await answersTo(all)
  let compared = 0, volatile = 0
  const wrong = new Map(), missing = new Map()
  const note = (kinds, { name }, path, example) => {
    const kind = `${name}: ${path.replace(/\.\d+/g, '[]')}`
    kinds.set(kind, { example, ...kinds.get(kind), count: (kinds.get(kind)?.count ?? 0) + 1 })
  }
  for (const [index, each] of all.entries()) {
    const cached = await readFromCache(each)
    for (const [path, leaves] of rows(after[index])) {
      const truth = at(after[index], path), row = at(cached, path), earlier = at(before[index], path)
      compared += 1
      const stable = leaves.filter((leaf) => same(truth[leaf], earlier?.[leaf]))
      volatile += leaves.length - stable.length
      const field = row && stable.find((leaf) => !same(truth[leaf], row[leaf]))
      if (!row) note(missing, each, path, truth)
      else if (field) note(wrong, each, path, { field, cache: row[field], server: truth[field] })
    }
  }
  for (const [kinds, said] of [[wrong, 'rows are wrong: cache equals server'], [missing, 'rows are missing in the cache']]) {
    const listed = [...kinds].sort((one, other) => other[1].count - one[1].count)
    const count = listed.reduce((sum, [, each]) => sum + each.count, 0)
    check(count === 0, `${count} of ${compared} ${said}, after ${all.length} queries`)
    for (const [kind, { count, example }] of listed.slice(0, 12)) console.log(`   ${count} × ${kind}: ${JSON.stringify(example)}`)
  }
  if (volatile) console.log(`   not compared: ${volatile} values that the server tells differently each time`)
}

/** The rows of one list as the server has them, to compare pages with. */
export async function wholeList(number, list, count) {
  const query = `query ($number: String!, $count: Int!) {
    customer(by: {number: $number}) { first: ${list}(first: $count) { edges { node { id } } }
      last: ${list}(last: $count) { edges { node { id } } } } }`
  const { customer } = (await ask(query, { number, count })).data
  return { first: customer.first.edges.map((edge) => edge.node.id), last: customer.last.edges.map((edge) => edge.node.id) }
}

/** Customers to ask for at once. */
export const NUMBERS = ['C-100001', 'C-100002', 'C-100003', 'C-100004', 'C-100005']

/** Checks what came of asking for all of NUMBERS with a token that has expired. */
export function checkRefresh(customers, refreshed, sent) {
  const count = (status) => sent.filter((request) => request.status === status).length
  check(
    customers.every(Boolean) && refreshed === 1 && count(200) === NUMBERS.length,
    `an expired token: ${count(401)} of ${NUMBERS.length} requests get 401, ${refreshed} refresh, and ${count(200)} succeed`,
  )
}
