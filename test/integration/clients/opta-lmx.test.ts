/** Each client library before Opta LMX, by the double that answers with the bytes of captures. */

import { expect, test } from 'vitest'
import type { ErrorCode } from '../../../src/base/errors.ts'
import { model, oneHost } from '../../kit/fleet.ts'
import type { FaultPlan } from '../../kit/lmx-double/faults.ts'
import type { Reader } from './reader.ts'
import { readers } from './readers.ts'
import { expectErrors, readingOf } from './stage.ts'

/** Its answers to `/v1/responses` have no `output`, and its events no `type`: those who read them there find no text. */
const able = readers.filter(({ dialect }) => dialect !== 'responses')
const streaming = able.filter(({ streamed }) => streamed)

type Config = Parameters<typeof oneHost>[1]

/** A host for each, so that no failure of one weighs on the next. */
async function readingsOf(asked: readonly Reader[], faults: FaultPlan, config: Config = {}) {
  const readings = asked.map(async (reader) => {
    const { gateway } = await oneHost({ answerTokens: 3, faults }, config)
    return readingOf(reader, { gateway, model })
  })
  return Object.fromEntries(await Promise.all(readings))
}

test('a whole answer', async () => {
  const whole = able.map(({ name }) => [name, expect.objectContaining({ text: 'w0 w1 w2 ' }) as unknown])
  expect(await readingsOf(able, {})).toEqual(Object.fromEntries(whole))
})

test.each<readonly [how: string, faults: FaultPlan, code: ErrorCode]>([
  ['the engine fails', { errorAfterTokens: 2 }, 'upstream_bad_response'],
  ['its time runs out', { timeoutAfterTokens: 2 }, 'upstream_timeout'],
])('an error in the text, after content: %s', async (_how, faults, code) => {
  expectErrors(await readingsOf(streaming, faults), code)
})

test('an error in the text, before content: the engine fails', async () => {
  expectErrors(await readingsOf(streaming, { errorAfterTokens: 0 }), 'upstream_bad_response', 502)
})

test('an error in the text, before content: no slot came free', async () => {
  // A stream of `messages` has no such text: it ends after its first events.
  const told = streaming.filter(({ dialect }) => dialect !== 'messages')
  expectErrors(await readingsOf(told, { busy: true }, { queue: { waitMsMax: 200 } }), 'upstream_busy', 503)
})
