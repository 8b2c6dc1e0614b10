/** A client that is there before the server: it connects as soon as it can, and asks until it is answered. */
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { within } from '../../kit/within.ts'
import type { Address } from '../load/load-order.ts'
import { requestOf } from '../load/request-bytes.ts'

const againMs = 2
const answerMsMax = 20_000

export interface FirstAnswer {
  /** Since `beganMs`. */
  readonly connectedMs: number
  readonly answeredMs: number
}

/** Until the first byte of an answer that is 200; anything else is asked again. Times by `performance.now()`. */
export async function firstAnswer(to: Address, beganMs: number): Promise<FirstAnswer> {
  const request = requestOf(to, { isStream: false, tokens: 1, bodyBytes: 2_048 })
  const { port } = new URL(to.url)
  let connectedMs: number | null = null
  while (performance.now() - beganMs < answerMsMax) {
    const socket = await connected(Number(port))
    if (socket !== null) {
      connectedMs ??= performance.now() - beganMs
      socket.write(request)
      const [piece] = (await within(answerMsMax, 'an answer', once(socket, 'data'))) as [Buffer]
      const answeredMs = performance.now() - beganMs
      socket.destroy()
      if (piece.toString('latin1', 9, 12) === '200') return { connectedMs, answeredMs }
    }
    await pause(againMs)
  }
  throw new Error(`${to.url} did not answer 200 within ${answerMsMax} ms of its start`)
}

/** Null where nobody listens. */
function connected(port: number): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(socket))
    socket.once('error', () => resolve(null))
  })
}
