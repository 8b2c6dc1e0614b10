/**
 * Thousands of clients in one process, each with a connection of its own: they send one request, and then wait, do not
 * read, or leave at the same moment. A message says what they do next, the answer what became of it.
 */
import { createConnection, type Socket } from 'node:net'
import { requestOf } from '../load/request-bytes.ts'
import type { CrowdOrder, CrowdState, OpenOrder } from './crowd.ts'

/** No more are connecting at once than a listener lets wait. */
const connectingMax = 100
const clients = new Set<Socket>()
let bytes = 0
let refused = 0
let firstRefusal = ''

process.on('message', (order: CrowdOrder) => {
  void obey(order).then((state) => process.send?.(state))
})
process.on('disconnect', () => process.exit(0))

async function obey(order: CrowdOrder): Promise<CrowdState> {
  if (order.ask === 'open') await openAll(order)
  if (order.ask === 'leave') leave(order.count)
  if (order.ask === 'read') for (const client of clients) client.resume()
  return { open: clients.size, bytes, refused, firstRefusal }
}

/** In one turn, as when a proxy before them goes down. */
function leave(count: number): void {
  for (const client of [...clients].slice(0, count)) {
    clients.delete(client)
    client.destroy()
  }
}

async function openAll(order: OpenOrder): Promise<void> {
  const request = requestOf({ ...order, receipts: false }, { ...order, isStream: order.stream })
  let left = order.count
  const openSome = async () => {
    while (left-- > 0) await openOne(order, request)
  }
  await Promise.all(Array.from({ length: connectingMax }, openSome))
}

/** Resolves when its request was written. */
function openOne({ url, reads }: OpenOrder, request: Buffer): Promise<void> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const client = createConnection({ host: hostname, port: Number(port) })
    client.once('error', reject).on('error', () => clients.delete(client))
    client.on('close', () => clients.delete(client))
    client.once('connect', () => {
      clients.add(client)
      client.write(request, () => resolve())
    })
    client.once('data', came)
    client.on('data', (piece: Buffer) => {
      bytes += piece.length
      if (!reads) client.pause()
    })
  })
}

/** The first piece of an answer begins with its status. */
function came(piece: Buffer): void {
  if (piece.toString('latin1', 9, 12) === '200') return
  refused++
  firstRefusal ||= piece.toString('latin1', 0, 1_000)
}
