/** However an answer that is not streamed breaks, each client library sees an error, and never the half of it. */

import { expect, test } from 'vitest'
import type { ErrorCode } from '../../../src/base/errors.ts'
import { halfClose, pause, reset, type ScriptStep } from '../../kit/chaos-host.ts'
import { chunkBytes, jsonResponseBytes, responseBytes } from '../../kit/http-bytes.ts'
import { partsOf, type Spoken } from './answers.ts'
import { wholeReaders } from './readers.ts'
import { expectErrors, goOn, type Play, readingsOf, type Stage } from './stage.ts'

type Break = Omit<Play, 'readers'> & { readonly how: string; readonly status: number; readonly code: ErrorCode }

const head = (framing: string) => `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${framing}\r\n\r\n`
const half = (d: Spoken) => partsOf[d].whole.slice(0, -30)
const failure = { message: 'The engine failed.', type: 'server_error', code: 500 }

test.each<Break>([
  {
    how: 'the host resets the connection',
    status: 502,
    code: 'upstream_disconnected',
    script: (d) => [head('content-length: 9000'), half(d), reset],
  },
  {
    how: 'fewer bytes than announced',
    status: 502,
    code: 'upstream_disconnected',
    script: (d) => [head('content-length: 9000'), half(d), halfClose],
  },
  {
    how: 'chunks without the last one',
    status: 502,
    code: 'upstream_disconnected',
    script: (d) => [head('transfer-encoding: chunked'), chunkBytes(half(d)), halfClose],
  },
  {
    how: 'no length, and the half of it',
    status: 502,
    code: 'upstream_truncated',
    script: (d) => [head('connection: close'), half(d), halfClose],
  },
  {
    how: 'an error under status 200',
    status: 502,
    code: 'upstream_bad_response',
    script: () => [jsonResponseBytes(200, { error: failure })],
  },
  {
    how: 'a web page',
    status: 502,
    code: 'upstream_bad_response',
    script: () => [responseBytes(200, { 'content-type': 'text/html' }, '<html>')],
  },
  {
    how: 'the host fails',
    status: 502,
    code: 'upstream_bad_response',
    script: () => [jsonResponseBytes(500, { error: failure })],
  },
  {
    how: 'the host is busy',
    status: 503,
    code: 'upstream_busy',
    script: () => [jsonResponseBytes(503, { error: failure })],
    config: { queue: { waitMsMax: 200 } },
  },
  {
    how: 'the host says nothing',
    status: 504,
    code: 'upstream_timeout',
    script: () => [pause],
    config: { relay: { answerMsMax: 200 } },
  },
])('$how', async ({ code, status, ...play }) => {
  expectErrors(await readingsOf({ readers: wholeReaders, ...play }), code, status)
})

test.each<readonly [how: string, framing: string, end: ScriptStep]>([
  ['a length, and the host resets the connection', 'content-length: 9000', reset],
  ['a length, and the host closes', 'content-length: 9000', halfClose],
  ['chunks, and the host resets the connection', 'transfer-encoding: chunked', reset],
  ['chunks, and the host closes', 'transfer-encoding: chunked', halfClose],
])('too large to be held: %s', async (_how, framing, end) => {
  const script = (d: Spoken): readonly ScriptStep[] => {
    const bytes = half(d)
    return [head(framing), framing.startsWith('t') ? chunkBytes(bytes) : bytes, pause, end]
  }
  const act = async (stage: Stage) => {
    await goOn(stage)
    const outcomes = await stage.gateway.outcomesOnce(wholeReaders.length)
    expect(outcomes.map(({ fields }) => fields['status'])).toEqual(wholeReaders.map(() => 200))
  }
  const readings = await readingsOf({
    readers: wholeReaders,
    script,
    act,
    config: { relay: { answerHoldBytesMax: 64 } },
  })
  for (const [name, reading] of Object.entries(readings)) expect(reading, name).toMatch(/^error: /)
})
