// Checks subscriptions by four clients against a running gateway: `make clients ARGS=live`.

import { randomUUID } from 'node:crypto'

import { GATEWAY, TOKENS, ask, check, pause, run, same } from '../shared/check.js'
import { follow, transports } from './client.js'

const NOTE = `mutation ($input: AddNoteInput!) { addNote(input: $input) { activity { id } userErrors { message } } }`

async function writeNote(customerId, message) {
  const input = { customerId, message, idempotencyKey: randomUUID() }
  const { data } = await ask(NOTE, { input })
  return data.addNote.activity.id
}

const { data } = await ask('{ customer(by: {number: "C-100002"}) { id } }')
const id = data.customer.id

const options = { url: GATEWAY, getToken: () => TOKENS.ADMIN }

/** Returns the ids of the next activities that are added, and the last cursor. */
async function added(events, count) {
  const ids = []
  let cursor
  while (ids.length < count) {
    const { value } = await events.next()
    cursor = value.cursor
    if (value.kind === 'ADDED') ids.push(value.activity.id)
  }
  return { ids, cursor }
}

await run(Object.fromEntries(Object.entries(transports).map(([name, transport]) => [name, async () => {
  const begin = (after) => follow(transport(options), { id, after, refreshToken: async () => {}, pause })
  const events = begin()
  const first = (await events.next()).value
  check(first.kind === 'HEARTBEAT' && first.cursor, `${name}: begins with a heartbeat`)
  const written = await writeNote(id, `${name}, while it listens`)
  const live = await added(events, 1)
  check(same(live.ids, [written]), `${name}: what is written comes`)
  await events.return()

  const missed = [await writeNote(id, `${name}, one while it is away`), await writeNote(id, `${name}, and two`)]
  const again = begin(live.cursor)
  check(same((await added(again, 2)).ids, missed), `${name}: comes back and misses nothing, nothing twice`)
  await again.return()

  let refused
  try {
    for await (const _ of follow(transport(options), { id: 'cus_aaaaaaaaaaaaaaaaaaaaaaaa', refreshToken: async () => {}, pause })) break
  } catch (error) {
    refused = error.errors?.[0]?.extensions?.code
  }
  check(refused === 'NOT_FOUND', `${name}: learns why it is refused`)
}])))
