/** Heartbeats before the first content disturb no client library: what follows is the answer, or an error. */

import { setTimeout as passing } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { heartbeatForms } from '../../../src/wire/heartbeat.ts'
import { pause, type ScriptStep } from '../../kit/chaos-host.ts'
import { finalChunk } from '../../kit/http-bytes.ts'
import { frame } from '../../kit/sse-streams.ts'
import { partsOf, type Spoken, text } from './answers.ts'
import { streamReaders } from './readers.ts'
import { expectErrors, goOn, type Readings, readingsOf, type Stage, sse } from './stage.ts'

const forms = heartbeatForms.filter((form) => form !== 'off')

/** The hosts say nothing for several beats, then go on with what the script ends with. */
async function readingsAfterBeats(
  heartbeat: (typeof forms)[number],
  end: (dialect: Spoken) => readonly ScriptStep[],
): Promise<Readings> {
  const act = async (stage: Stage) => {
    await passing(200)
    await goOn(stage)
  }
  const config = { relay: { heartbeat, headerHoldMs: 50, heartbeatMs: 50 } }
  return readingsOf({ readers: streamReaders, script: (d) => [...sse(), pause, ...end(d)], act, config })
}

test.each(forms)('as %s, before the answer', async (form) => {
  const readings = await readingsAfterBeats(form, (d) => {
    const { opening, content, closing, last } = partsOf[d]
    return [...sse(opening, content, closing, last).slice(1), finalChunk]
  })
  for (const [name, reading] of Object.entries(readings)) expect(reading, name).toMatchObject({ text })
})

test.each(forms)('as %s, before an error', async (form) => {
  const failed = frame({ error: { message: 'The engine failed.', type: 'server_error', code: 500 } })
  expectErrors(await readingsAfterBeats(form, (d) => sse(partsOf[d].opening, failed).slice(1)), 'upstream_bad_response')
})

test.each(forms)('as %s, before nothing', async (form) => {
  expectErrors(await readingsAfterBeats(form, () => [finalChunk]), 'upstream_truncated')
})
