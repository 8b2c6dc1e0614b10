/** `queue …`: the line of a running gateway. */
import type { FlagValues } from '../../config/settings.ts'
import type { Command, Io } from '../command.ts'
import { jsonFlag, queryOf, tell } from '../gateway-answer.ts'
import { lineText } from '../line-text.ts'
import { gatewayFlags, gatewayNotes, withGateway } from '../running-gateway.ts'

// Loaded when they are needed: a start of the gateway would wait for them, too.
const lineSchemas = () => import('../../queue/line-view-schema.ts')

const showQueue: Command = {
  name: 'queue show',
  summary: 'Shows the line of a running gateway: who waits, for how long, and what each key has had',
  flags: [
    { name: 'key', value: 'ID|NAME', help: 'List only the waiting requests of this key' },
    { name: 'count', value: 'N', help: 'Waiting requests to list, those that came first (default: 100)' },
    jsonFlag,
    ...gatewayFlags,
  ],
  notes: [
    'ahead: requests likely to be given a slot before it; p50, p90: it waits no longer than this from now on, in one of two',
    'cases and in nine of ten; served more: what a key was served beyond the least served one, in tokens. Examples:',
    '  lmx-gateway queue show',
    "  lmx-gateway queue show --json | jq '.requests[0].p90Ms'",
    '',
    ...gatewayNotes,
  ],
  run: (flags, io) =>
    withGateway(flags, io, async (gateway) => {
      const { lineViewSchema } = await lineSchemas()
      const line = await gateway.askFor(lineViewSchema, 'GET', `queue?${queryOf(flags, ['key', 'count'])}`)
      return tell(flags, io, { answer: line, text: lineText(line) })
    }),
}

const pauseQueue: Command = {
  name: 'queue pause',
  summary: 'Gives nobody a slot until queue resume, or until the gateway starts again',
  flags: [jsonFlag, ...gatewayFlags],
  notes: [
    'What runs goes on. What waits or comes waits for as long as its patience lasts, and is then answered 503.',
    '',
    ...gatewayNotes,
  ],
  run: (flags, io) => setQueue(flags, io, 'pause'),
}

const resumeQueue: Command = {
  name: 'queue resume',
  summary: 'Gives slots again',
  flags: [jsonFlag, ...gatewayFlags],
  notes: gatewayNotes,
  run: (flags, io) => setQueue(flags, io, 'resume'),
}

export const queueCommands: readonly Command[] = [showQueue, pauseQueue, resumeQueue]

type Verb = 'pause' | 'resume'

function setQueue(flags: FlagValues, io: Io, verb: Verb): Promise<number> {
  return withGateway(flags, io, async (gateway) => {
    const { lineStateSchema } = await lineSchemas()
    const answer = await gateway.askFor(lineStateSchema, 'POST', `queue/${verb}`)
    const text = answer.paused ? 'The line is paused: nobody is given a slot until queue resume.' : 'The line is open.'
    return tell(flags, io, { answer, text })
  })
}
