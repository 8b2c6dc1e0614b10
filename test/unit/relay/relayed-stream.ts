/** A stream being relayed to a sink that records, and the frames it is made of. */

import { GatewayError } from '../../../src/base/errors.ts'
import { Meter } from '../../../src/metering/meter.ts'
import { PhaseTimes } from '../../../src/metering/phase-times.ts'
import { TokenTallies } from '../../../src/metering/token-tallies.ts'
import { Failure } from '../../../src/relay/failure.ts'
import { StreamAnswer } from '../../../src/relay/stream-answer.ts'
import { dialects } from '../../../src/wire/dialect.ts'
import { StreamProgress } from '../../../src/wire/stream-progress.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { RecordingSink } from '../../kit/recording-sink.ts'
import { frame } from '../../kit/sse-streams.ts'

interface Settings {
  dialect?: keyof typeof dialects
  choices?: number
  frameBytesMax?: number
  dropUsageFrame?: boolean
  errorsInText?: boolean
  headersSent?: boolean
  /** What it says when it is asked, in place of figures. */
  receipt?: () => string
}

/** Texts are of latin1, so that each character is a byte. */
export function relaying({
  dialect: name = 'chat',
  choices = 1,
  frameBytesMax = 4_096,
  dropUsageFrame = false,
  errorsInText = false,
  headersSent = false,
  receipt,
}: Settings = {}) {
  const clock = new FakeClock()
  const sink = new RecordingSink()
  const tally = new TokenTallies().tally('m', 'a', 'k')
  const meter = new Meter({ clock, tally, phases: new PhaseTimes(clock), stream: true })
  const dialect = dialects[name]
  const progress = new StreamProgress({ dialect, choices, onUsage: (usage) => meter.report(usage), onResponseId: null })
  const headers = { 'content-type': 'text/event-stream; charset=utf-8', server: 'uvicorn', 'x-request-id': 'theirs' }
  const answer = new StreamAnswer({
    head: { status: 200, headers, mediaType: 'text/event-stream' },
    dialect,
    progress,
    meter,
    sink,
    frameBytesMax,
    dropUsageFrame,
    errorsInText,
    headersSent: () => headersSent,
    receipt: receipt === undefined ? null : { comment: () => Buffer.from(receipt()), headers: () => ({}) },
  })
  /** One read for each text. */
  const read = (...texts: readonly string[]) => {
    for (const text of texts) answer.data(Buffer.from(text, 'latin1'))
    return sink.sent
  }
  return { answer, sink, meter, read }
}

export const chunk = (delta: object, reason: string | null = null, index = 0) =>
  frame({ choices: [{ index, delta, finish_reason: reason }] })
export const role = chunk({ role: 'assistant', content: '' })
export const content = chunk({ content: 'w' })
export const finish = chunk({}, 'stop')
export const usage = frame({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 } })
export const done = 'data: [DONE]\n\n'
export const broken = new Failure('connection_lost', new GatewayError('upstream_disconnected', 'Gone.'))
