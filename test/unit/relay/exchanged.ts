/** Exchanges of a real server on loopback: the test holds both ends of the connection, and the time. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { onTestFinished } from 'vitest'
import { ByteBudget } from '../../../src/queue/byte-budget.ts'
import { Exchange } from '../../../src/relay/exchange.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { RawClient } from '../../kit/raw-client.ts'
import { listen } from '../../kit/servers.ts'
import { eventually } from '../../kit/within.ts'

export interface Exchanged {
  readonly exchange: Exchange
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  /** What it was told, in order. */
  readonly told: ('leave' | 'drain' | 'stall' | 'taken')[]
}

/** A server that does nothing by itself, and a way to connect to it. */
export async function door() {
  const clock = new FakeClock()
  const exchanged: Exchanged[] = []
  const server = createServer({ keepAliveTimeout: 0 }, (incoming, outgoing) => {
    const exchange = new Exchange(incoming, outgoing, { clock, requestId: `r${exchanged.length + 1}` })
    const told: Exchanged['told'] = []
    exchange.listener = {
      onLeave: () => told.push('leave'),
      onTaken: () => told.push('taken'),
      onDrain: () => told.push('drain'),
      onStall: () => told.push('stall'),
    }
    exchanged.push({ exchange, incoming, outgoing, told })
  })
  const listening = await listen(server)
  onTestFinished(() => listening.close())
  return {
    clock,
    connect: async (): Promise<RawClient> => {
      const client = await RawClient.open(listening.port)
      onTestFinished(() => client.close())
      return client
    },
    /** The nth exchange, from 0, as soon as its head came. */
    arrived: async (index = 0): Promise<Exchanged> => {
      await eventually(2_000, `request ${index + 1}`, () => exchanged.length > index)
      return exchanged[index]!
    },
  }
}

/** A door with one request at it. */
export async function asked(bytes: string | Uint8Array) {
  const { clock, connect, arrived } = await door()
  const client = await connect()
  await client.send(bytes)
  return { clock, client, ...(await arrived()) }
}

/** A budget, of which one client gets `bytesMax`, and that notes whether it refused. */
export function budgetOf(bytesMax: number) {
  const noted = { refusals: 0 }
  const budget = new ByteBudget(bytesMax * 3, () => {
    noted.refusals += 1
  })
  return { budget, share: budget.shareOf('client'), noted }
}
