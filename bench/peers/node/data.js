// What the three Node servers ask the database: the commands that the gateway's own loaders would send for the same.
import { readFileSync } from 'node:fs'
import { MinKey, MongoClient } from 'mongodb'

const client = await MongoClient.connect(process.env.MONGODB_URI)
const db = client.db(process.env.MONGODB_DATABASE)
export const titles = JSON.parse(readFileSync(process.env.TITLES, 'utf8'))

// A condition that is always true, and that a partial index asks for.
const any = { $gte: new MinKey() }
const history = ['ADJUSTED', 'EARNED', 'EXPIRED', 'REFUNDED', 'SPENT']

export const lists = {
  activities: { from: 'activities', where: { legacy: false, occurredAt: any }, sort: { occurredAt: -1, order: -1, _id: -1 } },
  pointsHistory: { from: 'points', where: { kind: { $in: history }, seq: any }, sort: { seq: -1 } },
  coupons: { from: 'coupons', where: { addedAt: any }, sort: { addedAt: -1, order: -1, _id: -1 } },
  transactions: { from: 'transactions', where: { occurredAt: any }, sort: { occurredAt: -1, order: -1, _id: -1 } },
  passes: { from: 'passes', where: {}, sort: { createdAt: -1, order: -1, _id: -1 } },
  statusHistory: { from: 'statuses', where: {}, sort: { changedAt: -1, order: -1, _id: -1 } },
}

export const customerBy = ({ id, number }) => db.collection('customers').findOne(id ? { _id: id } : { number })

export async function customersByIds(ids) {
  const found = await db.collection('customers').find({ _id: { $in: ids } }).toArray()
  const byId = new Map(found.map((customer) => [customer._id, customer]))
  return ids.map((id) => byId.get(id) ?? null)
}

// Pages of one list in the order of `asked` ({ id, first } of each customer): one command for each size.
export async function pages(list, asked) {
  const sizes = new Set(asked.map(({ first }) => first))
  if (sizes.size === 1) return pagesOf(list, asked.map(({ id }) => id), asked[0].first)
  const found = new Map()
  for (const size of sizes) {
    const ids = asked.filter(({ first }) => first === size).map(({ id }) => id)
    found.set(size, new Map((await pagesOf(list, ids, size)).map((page, index) => [ids[index], page])))
  }
  return asked.map(({ id, first }) => found.get(first).get(id))
}

async function pagesOf(list, ids, first) {
  const { from, where, sort } = lists[list]
  const page = (rows) => ({
    nodes: rows.slice(0, first),
    pageInfo: { hasNextPage: rows.length > first, hasPreviousPage: false },
  })
  if (ids.length === 1) {
    return [page(await db.collection(from).find({ ...where, customerId: ids[0] }).sort(sort).limit(first + 1).toArray())]
  }
  const own = { $expr: { $eq: ['$customerId', '$$customer'] } }
  const pipeline = [{ $match: { ...where, ...own } }, { $sort: sort }, { $limit: first + 1 }]
  const found = await db.aggregate([
    { $documents: ids.map((_id) => ({ _id })) },
    { $lookup: { from, let: { customer: '$_id' }, pipeline, as: 'rows' } },
  ], { batchSize: 1000 }).toArray()
  const rows = new Map(found.map((each) => [each._id, each.rows]))
  return ids.map((id) => page(rows.get(id)))
}
