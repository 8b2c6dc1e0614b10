/** `requests …`: those that wait or run at a running gateway, and the last that ended. */
import { suggestion } from '../../config/nearest.ts'
import type { FlagValues } from '../../config/settings.ts'
import { phaseFilters } from '../../relay/phase-names.ts'
import type { Command } from '../command.ts'
import { inPath, jsonFlag, queryOf, tell } from '../gateway-answer.ts'
import { printable } from '../printable.ts'
import { endedRequestText, endedText, requestsText } from '../request-text.ts'
import { gatewayFlags, gatewayNotes, withGateway } from '../running-gateway.ts'

// Loaded when they are needed: a start of the gateway would wait for them, too.
const requestSchemas = () => import('../../http/admin/requests-schema.ts')

const ofLive = ['phase', 'count']
const ofEnded = ['ended', 'status', 'end', 'slower-than']

const listRequests: Command = {
  name: 'requests list',
  summary: 'Lists the requests that wait or run at a running gateway, the oldest first; or the last that ended',
  flags: [
    { name: 'key', value: 'ID|NAME', help: 'Only of this key' },
    { name: 'model', value: 'MODEL', help: 'Only of this model' },
    { name: 'host', value: 'HOST', help: 'Only of this host' },
    { name: 'phase', value: 'PHASE', help: `Only in this phase: ${phaseFilters.join(', ')}` },
    { name: 'count', value: 'N', help: 'Requests to list (default: 1000)' },
    { name: 'ended', value: 'N', bare: '20', help: 'The last N that ended instead, the newest first (20 without N)' },
    { name: 'request-id', value: 'ID', help: 'Only those that their client knows by this id (x-request-id)' },
    { name: 'status', value: 'STATUS', help: 'Of those that ended only with this status (499: the client left)' },
    { name: 'end', value: 'CODE', help: 'Of those that ended only with this end code, such as UD' },
    { name: 'slower-than', value: 'MS', help: 'Of those that ended only those that took longer, in milliseconds' },
    jsonFlag,
    ...gatewayFlags,
  ],
  notes: [
    'since: time in its phase; prompt, answer: tokens, the former as estimated. Of those that ended, line is the time they',
    'waited for a slot; requests show ID tells of one where its time went and why it went to its host. Examples:',
    '  lmx-gateway requests list --phase waiting',
    '  lmx-gateway requests list --ended 20 --slower-than 30000',
    "  lmx-gateway requests list --key alice --json | jq -r '.requests[].id'",
    '',
    ...gatewayNotes,
  ],
  async run(flags, io) {
    const problem = problemOf(flags)
    if (problem !== null) {
      io.err(`lmx-gateway: ${problem}`)
      return 1
    }
    return withGateway(flags, io, async (gateway) => {
      const isOfEnded = ofEnded.some((name) => flags.has(name))
      const query = queryOf(flags, ['key', 'model', 'host', 'request-id', ...(isOfEnded ? ofEnded : ofLive)], {
        'request-id': 'requestId',
        'slower-than': 'slowerThanMs',
      })
      const { requestsSchema } = await requestSchemas()
      // The list that is not shown is not asked for.
      const path = `requests?${isOfEnded ? 'count' : 'ended'}=0&${query}`
      const answer = await gateway.askFor(requestsSchema, 'GET', path)
      const text = isOfEnded ? endedText(answer.ended) : requestsText(answer.requests, answer.matching)
      return tell(flags, io, { answer, text })
    })
  },
}

/** Null where the flags go together. */
function problemOf(flags: FlagValues): string | null {
  const live = ofLive.find((name) => flags.has(name))
  const ended = ofEnded.find((name) => flags.has(name))
  if (live !== undefined && ended !== undefined)
    return `--${live} is of requests that have not ended, --${ended} of those that have: give one of them`
  const phase = flags.get('phase')?.at(-1)
  if (phase === undefined || phaseFilters.some((known) => known === phase)) return null
  const tail = suggestion(phase, phaseFilters) || `; there are ${phaseFilters.join(', ')}`
  return `--phase: there is no phase "${printable(phase)}"${tail}`
}

const showRequest: Command = {
  name: 'requests show',
  summary: 'Shows one request that waits or runs, or ended lately: where its time went, and what was decided',
  operand: 'ID',
  flags: [jsonFlag, ...gatewayFlags],
  notes: [
    'ID is the one that requests list and the access log have, or the one that its client has (x-request-id): then it is the',
    'newest of that id. How many are kept once they ended is log.recentRequestsMax.',
    '',
    ...gatewayNotes,
  ],
  run: (flags, io, id) =>
    withGateway(flags, io, async (gateway) => {
      const { requestSchema } = await requestSchemas()
      const answer = await gateway.askFor(requestSchema, 'GET', `requests/${inPath(id, 'request')}`)
      const { live, ended } = answer
      const text = ended === null ? requestsText(live === null ? [] : [live], 1) : endedRequestText(ended)
      return tell(flags, io, { answer, text })
    }),
}

const cancelRequest: Command = {
  name: 'requests cancel',
  summary: 'Ends a request that waits or runs; its client is told that an operator did',
  operand: 'ID',
  flags: [jsonFlag, ...gatewayFlags],
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

export const requestCommands: readonly Command[] = [listRequests, showRequest, cancelRequest]
