/** `queue …`, `requests …` and `hosts …`: what waits and runs at a running gateway. */
import { GatewayError } from '../../base/errors.ts'
import { suggestion } from '../../config/nearest.ts'
import type { FlagValues } from '../../config/settings.ts'
import { phaseFilters } from '../../relay/phase-names.ts'
import type { AdminClient } from '../admin-client.ts'
import type { Command, Flag, Io } from '../command.ts'
import { printable, printableJson } from '../printable.ts'
import { gatewayFlags, gatewayNotes, withGateway } from '../running-gateway.ts'
import { lineText, requestsText } from '../traffic-text.ts'

// Loaded when they are needed: a start of the gateway would wait for them, too.
const lineSchemas = () => import('../../queue/line-view-schema.ts')
const requestSchemas = () => import('../../relay/requests-schema.ts')

const json: Flag = { name: 'json', value: '', help: 'The answer of the admin API as JSON' }

const showQueue: Command = {
  name: 'queue show',
  summary: 'Shows the line of a running gateway: who waits, for how long, and what each key has had',
  flags: [
    { name: 'key', value: 'ID|NAME', help: 'List only the waiting requests of this key' },
    { name: 'count', value: 'N', help: 'Waiting requests to list, those that came first (default: 100)' },
    json,
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
  flags: [json, ...gatewayFlags],
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
  flags: [json, ...gatewayFlags],
  notes: gatewayNotes,
  run: (flags, io) => setQueue(flags, io, 'resume'),
}

const listRequests: Command = {
  name: 'requests list',
  summary: 'Lists the requests that wait or run at a running gateway, the oldest first',
  flags: [
    { name: 'key', value: 'ID|NAME', help: 'Only of this key' },
    { name: 'model', value: 'MODEL', help: 'Only of this model' },
    { name: 'host', value: 'HOST', help: 'Only of this host' },
    { name: 'phase', value: 'PHASE', help: `Only in this phase: ${phaseFilters.join(', ')}` },
    { name: 'count', value: 'N', help: 'Requests to list (default: 1000)' },
    json,
    ...gatewayFlags,
  ],
  notes: [
    'since: time in its phase; prompt, answer: tokens, the former as estimated. Examples:',
    '  lmx-gateway requests list --phase waiting',
    "  lmx-gateway requests list --key alice --json | jq -r '.requests[].id'",
    '',
    ...gatewayNotes,
  ],
  async run(flags, io) {
    const phase = flags.get('phase')?.at(-1)
    if (phase !== undefined && !phaseFilters.some((known) => known === phase)) {
      const tail = suggestion(phase, phaseFilters) || `; there are ${phaseFilters.join(', ')}`
      io.err(`lmx-gateway: --phase: there is no phase "${printable(phase)}"${tail}`)
      return 1
    }
    return withGateway(flags, io, async (gateway) => {
      const query = queryOf(flags, ['key', 'model', 'host', 'phase', 'count'])
      const { requestsSchema } = await requestSchemas()
      const answer = await gateway.askFor(requestsSchema, 'GET', `requests?${query}`)
      return tell(flags, io, { answer, text: requestsText(answer.requests, answer.matching) })
    })
  },
}

const cancelRequest: Command = {
  name: 'requests cancel',
  summary: 'Ends a request that waits or runs; its client is told that an operator did',
  operand: 'ID',
  flags: [json, ...gatewayFlags],
  notes: ['ID is the one that requests list has. The connection to its host is closed.', '', ...gatewayNotes],
  run: (flags, io, id) =>
    withGateway(flags, io, async (gateway) => {
      const path = `requests/${inPath(id, 'request')}/cancel`
      const { liveRequestSchema } = await import('../../relay/live-request-schema.ts')
      const request = await gateway.askFor(liveRequestSchema, 'POST', path)
      const at = request.host === null ? '' : ` at ${printable(request.host)}`
      const text = `Ended ${printable(request.id)} of ${printable(request.key)}, which was in the phase ${request.phase}${at}.`
      return tell(flags, io, { answer: request, text })
    }),
}

const pauseHost: Command = {
  name: 'hosts pause',
  summary: 'Gives a host no request until hosts resume, or until the gateway starts again',
  operand: 'NAME',
  flags: [json, ...gatewayFlags],
  notes: ['What runs there goes on, and so do probes: it is not down.', '', ...gatewayNotes],
  run: (flags, io, name) => setHost(flags, io, { name, verb: 'pause' }),
}

const resumeHost: Command = {
  name: 'hosts resume',
  summary: 'Gives a host requests again',
  operand: 'NAME',
  flags: [json, ...gatewayFlags],
  notes: gatewayNotes,
  run: (flags, io, name) => setHost(flags, io, { name, verb: 'resume' }),
}

export const trafficCommands: readonly Command[] = [
  showQueue,
  pauseQueue,
  resumeQueue,
  listRequests,
  cancelRequest,
  pauseHost,
  resumeHost,
]

type Verb = 'pause' | 'resume'

function setQueue(flags: FlagValues, io: Io, verb: Verb): Promise<number> {
  return withGateway(flags, io, async (gateway) => {
    const { lineStateSchema } = await lineSchemas()
    const answer = await gateway.askFor(lineStateSchema, 'POST', `queue/${verb}`)
    const text = answer.paused ? 'The line is paused: nobody is given a slot until queue resume.' : 'The line is open.'
    return tell(flags, io, { answer, text })
  })
}

function setHost(flags: FlagValues, io: Io, { name, verb }: { name: string; verb: Verb }): Promise<number> {
  return withGateway(flags, io, async (gateway: AdminClient) => {
    const { lineHostSchema } = await lineSchemas()
    const host = await gateway.askFor(lineHostSchema, 'POST', `hosts/${inPath(name, 'host')}/${verb}`)
    const who = printable(host.name)
    const text = host.paused
      ? `${who} is paused: it is given no request until hosts resume. ${host.running} running there may finish.`
      : `${who} is given requests.`
    return tell(flags, io, { answer: host, text })
  })
}

function tell(flags: FlagValues, io: Io, { answer, text }: { answer: unknown; text: string }): number {
  io.out(flags.get('json')?.at(-1) === 'true' ? printableJson(answer) : text)
  return 0
}

/** Flags that the admin API has as parameters of the same name. */
function queryOf(flags: FlagValues, names: readonly string[]): string {
  const query = new URLSearchParams()
  for (const name of names) {
    const value = flags.get(name)?.at(-1)
    if (value !== undefined) query.set(name, value)
  }
  return query.toString()
}

/** A path takes no escapes, and what would need some is no id or name that there is. */
function inPath(given: string, what: string): string {
  if (/^[\w[][\w.:[\]-]*$/.test(given)) return given
  throw new GatewayError('not_found', `there is no ${what} "${given}"`)
}
