/** Answers that the gateway puts together from a stream: whole, or an error with its status, for each client library. */

import { expect, test } from 'vitest'
import type { ErrorCode } from '../../../src/base/errors.ts'
import { halfClose, pause, reset } from '../../kit/chaos-host.ts'
import { finalChunk } from '../../kit/http-bytes.ts'
import { frame } from '../../kit/sse-streams.ts'
import { chatFrame, done, partsOf, type Spoken, text, toolCall } from './answers.ts'
import { wholeReaders } from './readers.ts'
import { expectErrors, type Play, readingsOf, sse } from './stage.ts'

const readers = wholeReaders.filter(({ dialect }) => dialect === 'chat' || dialect === 'completions')
const begun = (d: Spoken, ...more: readonly string[]) => sse(partsOf[d].opening, partsOf[d].content, ...more)
const failed = frame({ error: { message: 'The engine failed.', type: 'server_error', code: 500 } })

const broken: readonly (Omit<Play, 'readers'> & { how: string; code: ErrorCode; status: number })[] = [
  {
    how: 'the host resets the connection',
    status: 502,
    code: 'upstream_disconnected',
    script: (d) => [...begun(d), reset],
  },
  { how: 'the host closes', status: 502, code: 'upstream_disconnected', script: (d) => [...begun(d), halfClose] },
  {
    how: 'an orderly end comes too early',
    status: 502,
    code: 'upstream_truncated',
    script: (d) => [...begun(d), finalChunk],
  },
  {
    how: '[DONE] comes too early',
    status: 502,
    code: 'upstream_truncated',
    script: (d) => [...begun(d, done), finalChunk],
  },
  {
    how: 'an error frame',
    status: 502,
    code: 'upstream_bad_response',
    script: (d) => [...begun(d, failed), finalChunk],
  },
  {
    how: 'the host falls silent',
    status: 504,
    code: 'upstream_stalled',
    script: (d) => [...begun(d), pause],
    config: { relay: { contentGapMsMax: 200 } },
  },
]

test.each(broken)('$how', async ({ code, status, ...play }) => {
  expectErrors(await readingsOf({ readers, streamUpstream: true, ...play }), code, status)
})

test.each([
  { how: 'with [DONE]', last: done },
  { how: 'without [DONE]', last: '' },
])('whole, $how', async ({ last }) => {
  const script = (d: Spoken) => [...begun(d, partsOf[d].closing, last), finalChunk]
  const whole = readers.map(({ name }) => [name, { text, finish: 'stop' }])
  expect(await readingsOf({ readers, streamUpstream: true, script })).toEqual(Object.fromEntries(whole))
})

test('whole, with a tool call', async () => {
  const asked = readers.filter(({ dialect }) => dialect === 'chat')
  const frames = chatFrame({ role: 'assistant', tool_calls: [toolCall] }) + chatFrame({}, 'tool_calls') + done
  const script = () => [...sse(frames), finalChunk]
  const whole = asked.map(({ name }) => [name, { text: 'get_weather{"city":"Bern"}', finish: 'tool_calls' }])
  expect(await readingsOf({ readers: asked, streamUpstream: true, tools: true, script })).toEqual(
    Object.fromEntries(whole),
  )
})
