/** The way from a gateway to Redis: it can be blocked, or be longer than it was. */
import { connect, createServer, type Socket } from 'node:net'
import { listen } from './servers.ts'

export interface RedisRoad extends AsyncDisposable {
  readonly url: string
  /** Connections that came, and that are there. */
  readonly came: number
  readonly open: number
  /** Most that were there at a time since `forget`. */
  readonly openMax: number
  forget(): void
  /** What comes is taken, and nobody hears of it, while it is true. */
  blocked: boolean
  /** Of what Redis answers. */
  delayMs: number
}

export async function redisRoad(port: number): Promise<RedisRoad> {
  const open = new Set<Socket>()
  const way = { came: 0, openMax: 0, blocked: false, delayMs: 0 }
  const server = createServer((client) => {
    way.came += 1
    open.add(client)
    way.openMax = Math.max(way.openMax, open.size)
    const redis = connect(port, '127.0.0.1')
    client.on('data', (bytes: Buffer) => {
      if (!way.blocked) redis.write(bytes)
    })
    redis.on('data', (bytes: Buffer) => {
      const pass = () => void (client.writable && !way.blocked && client.write(bytes))
      if (way.delayMs === 0) pass()
      else setTimeout(pass, way.delayMs)
    })
    for (const [one, other] of [
      [client, redis],
      [redis, client],
    ] as const) {
      one.on('error', () => {})
      one.on('close', () => {
        open.delete(client)
        other.destroy()
      })
    }
  })
  const listening = await listen(server)
  return {
    url: `redis://127.0.0.1:${listening.port}`,
    get came() {
      return way.came
    },
    get open() {
      return open.size
    },
    get openMax() {
      return way.openMax
    },
    forget: () => {
      way.openMax = open.size
    },
    get blocked() {
      return way.blocked
    },
    set blocked(blocked) {
      way.blocked = blocked
    },
    get delayMs() {
      return way.delayMs
    },
    set delayMs(ms) {
      way.delayMs = ms
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await listening.close()
    },
  }
}
