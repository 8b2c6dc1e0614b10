/** A request of the benchmark as it goes over a socket. */
import { benchModel } from '../traffic.ts'
import type { Address } from './load-order.ts'

export interface RequestShape {
  readonly isStream: boolean
  readonly tokens: number
  /** Of its body, about. */
  readonly bodyBytes: number
}

const words = 'A question of the size that people ask. '

/** What the stub must know stands first in the body. */
export function requestOf({ url, key, receipts }: Address, { isStream, tokens, bodyBytes }: RequestShape): Buffer {
  const bodyWith = (content: string) =>
    JSON.stringify({
      stream: isStream,
      max_tokens: tokens,
      model: benchModel,
      // As most clients ask; otherwise a gateway may take the usage out, and the answer is not that of the host.
      ...(isStream ? { stream_options: { include_usage: true } } : {}),
      messages: [{ role: 'user', content }],
    })
  const missing = Math.max(1, bodyBytes - bodyWith('').length)
  const body = bodyWith(words.repeat(Math.ceil(missing / words.length)).slice(0, missing))
  const head = [
    'POST /v1/chat/completions HTTP/1.1',
    `host: ${new URL(url).host}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    ...(key === null ? [] : [`authorization: Bearer ${key}`]),
    ...(receipts ? ['x-lmx-gateway-receipt: 1'] : []),
  ]
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`)
}
