/** However a stream breaks, each client library sees an error, and never an answer that is merely short. */

import { expect, test } from 'vitest'
import type { ErrorCode } from '../../../src/base/errors.ts'
import { halfClose, pause, reset } from '../../kit/chaos-host.ts'
import { finalChunk, jsonResponseBytes, responseBytes } from '../../kit/http-bytes.ts'
import { frame } from '../../kit/sse-streams.ts'
import { partsOf, type Spoken } from './answers.ts'
import { streamReaders } from './readers.ts'
import { drainRunsOut, expectErrors, goOnInTheMiddle, hostsDie, type Play, readingsOf, sse } from './stage.ts'

type Break = Omit<Play, 'readers'> & { readonly how: string; readonly code: ErrorCode; readonly status?: number }

const begun = (d: Spoken, ...more: readonly string[]) => sse(partsOf[d].opening, partsOf[d].content, ...more)
const failure = { message: 'The engine failed.', type: 'server_error', code: 500 }
const failed = frame({ error: failure })
const impatient = { relay: { contentGapMsMax: 200 } }
const act = goOnInTheMiddle

test.each<Break>([
  {
    how: 'the host resets the connection',
    code: 'upstream_disconnected',
    script: (d) => [...begun(d), pause, reset],
    act,
  },
  {
    how: 'the host closes without the final chunk',
    code: 'upstream_disconnected',
    script: (d) => [...begun(d), pause, halfClose],
    act,
  },
  {
    how: 'the host closes in the middle of a chunk',
    code: 'upstream_disconnected',
    script: (d) => [...begun(d), '40\r\ndata: {', pause, halfClose],
    act,
  },
  { how: 'the host dies', code: 'upstream_disconnected', script: (d) => [...begun(d), pause], act: hostsDie },
  { how: 'an orderly end comes too early', code: 'upstream_truncated', script: (d) => [...begun(d), finalChunk] },
  {
    how: '[DONE] comes too early',
    code: 'upstream_truncated',
    script: (d) => [...begun(d, frame('[DONE]')), finalChunk],
  },
  { how: 'an error frame', code: 'upstream_bad_response', script: (d) => [...begun(d, failed), finalChunk] },
  {
    how: 'an error frame, and [DONE] as if all were well',
    code: 'upstream_bad_response',
    script: (d) => [...begun(d, failed, frame('[DONE]')), finalChunk],
  },
  {
    how: 'an error frame whose error is a word',
    code: 'upstream_bad_response',
    script: (d) => [...begun(d, frame({ error: 'The engine failed.' })), finalChunk],
  },
  {
    how: 'an error frame in the form of vLLM',
    code: 'upstream_bad_response',
    script: (d) => [...begun(d, frame({ object: 'error', ...failure })), finalChunk],
  },
  {
    how: 'an error event',
    code: 'upstream_bad_response',
    script: (d) => [...begun(d, `event: error\n${frame(failure)}`), finalChunk],
  },
  { how: 'the host falls silent', code: 'upstream_stalled', script: (d) => [...begun(d), pause], config: impatient },
  {
    how: 'the host has only comments left',
    code: 'upstream_stalled',
    script: (d) => [...begun(d, ': ping\n\n', ': ping\n\n'), pause],
    config: impatient,
  },
  {
    how: 'bytes that are no chunk',
    code: 'upstream_protocol_error',
    script: (d) => [...begun(d), pause, 'no chunk at all\r\n'],
    act,
  },
  {
    how: 'a frame over the limit',
    code: 'upstream_bad_response',
    script: (d) => [...begun(d, frame({ x: 'x'.repeat(9_000) })), finalChunk],
    config: { relay: { frameBytesMax: 8_192 } },
  },
  {
    how: 'it takes too long',
    code: 'upstream_timeout',
    script: (d) => [...begun(d), pause],
    config: { relay: { streamMsMax: 500 } },
  },
  {
    how: 'the gateway stops, and its patience ends',
    code: 'gateway_shutting_down',
    script: (d) => [...begun(d), pause],
    config: { server: { drainMsMax: 50 } },
    act: drainRunsOut,
  },
])('in the middle: $how', async ({ code, ...play }) => {
  expectErrors(await readingsOf({ readers: streamReaders, ...play }), code)
})

const impatientAtFirst = { relay: { firstContentMsMax: 200 } }

test.each<Break & { readonly status: number }>([
  { how: 'the host resets the connection', status: 502, code: 'upstream_disconnected', script: () => [reset] },
  {
    how: 'the host closes after its head',
    status: 502,
    code: 'upstream_disconnected',
    script: () => [...sse(), halfClose],
  },
  {
    how: 'the host closes after the first frames',
    status: 502,
    code: 'upstream_disconnected',
    script: (d) => [...sse(partsOf[d].opening), halfClose],
  },
  {
    how: 'an orderly end',
    status: 502,
    code: 'upstream_truncated',
    script: (d) => [...sse(partsOf[d].opening), finalChunk],
  },
  {
    how: 'an error frame',
    status: 502,
    code: 'upstream_bad_response',
    script: (d) => [...sse(partsOf[d].opening, failed), finalChunk],
  },
  {
    how: 'the host fails',
    status: 502,
    code: 'upstream_bad_response',
    script: () => [jsonResponseBytes(500, { error: failure })],
  },
  {
    how: 'a web page',
    status: 502,
    code: 'upstream_bad_response',
    script: () => [responseBytes(200, { 'content-type': 'text/html' }, '<html>')],
  },
  {
    how: 'no HTTP at all',
    status: 502,
    code: 'upstream_protocol_error',
    script: () => ['SSH-2.0-OpenSSH_9.6\r\n\r\n'],
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
    config: impatientAtFirst,
  },
  {
    how: 'the host begins and says nothing',
    status: 504,
    code: 'upstream_timeout',
    script: (d) => [...sse(partsOf[d].opening), pause],
    config: impatientAtFirst,
  },
])('before the first content: $how', async ({ code, status, ...play }) => {
  expectErrors(await readingsOf({ readers: streamReaders, ...play }), code, status)
})

test('a frame that is no JSON passes as it is: an error, or skipped where events are read by their names', async () => {
  const script: Play['script'] = (d) => {
    const { opening, content, closing, last } = partsOf[d]
    return [...sse(opening, content, 'data: {"choices": [{"delta"\n\n', closing, last), finalChunk]
  }
  const readings = await readingsOf({ readers: streamReaders, script })
  for (const [name, reading] of Object.entries(readings)) {
    if (name.startsWith('anthropic')) expect(reading).toEqual({ text: 'w0 w1 ', finish: 'end_turn' })
    else expect(reading, name).toMatch(/^error: .*JSON/)
  }
})
