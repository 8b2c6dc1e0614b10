/** `stats`, `hosts …`, `models list` and `replicas list`: what a running gateway does and how fast it is. */
import { systemClock } from '../../base/clock.ts'
import type { FlagValues } from '../../config/settings.ts'
import type { AdminClient } from '../admin-client.ts'
import type { Command, Io } from '../command.ts'
import { hostsText, modelsText, statsText } from '../figures-text.ts'
import { inPath, jsonFlag, queryOf, tell } from '../gateway-answer.ts'
import { printable, printableLines } from '../printable.ts'
import { replicasText } from '../replicas-text.ts'
import { gatewayFlags, gatewayNotes, withGateway } from '../running-gateway.ts'

// Loaded when they are needed: a start of the gateway would wait for them, too.
const fleetSchemas = () => import('../../http/admin/fleet-schema.ts')

const speedNotes = [
  'Speeds are of the last minute (stats: and of the last five): tok/s, all output by the time that passed; stream tok/s, how fast one answer is written;',
  'batch, answers that are made at once; ttft, time to the first content of a stream. README has the definitions.',
]

const stats: Command = {
  name: 'stats',
  summary: 'Shows what a running gateway has done since its start, and how fast it is',
  flags: [
    { name: 'keys', value: 'N', help: 'Keys to list, those that were served most (default: 10)' },
    jsonFlag,
    ...gatewayFlags,
  ],
  notes: [
    ...speedNotes,
    'Examples:',
    '  lmx-gateway stats',
    "  lmx-gateway stats --json | jq '.speeds.lastMinute.streamTokensPerSecond'",
    '',
    ...gatewayNotes,
  ],
  run: (flags, io) =>
    withGateway(flags, io, async (gateway) => {
      const { statsSchema } = await import('../../http/admin/stats-schema.ts')
      const answer = await gateway.askFor(statsSchema, 'GET', `stats?${queryOf(flags, ['keys'])}`)
      return tell(flags, io, { answer, text: printableLines(statsText(answer)) })
    }),
}

const listHosts: Command = {
  name: 'hosts list',
  summary: 'Lists the hosts of a running gateway: their state, what they do, and how fast they are',
  flags: [jsonFlag, ...gatewayFlags],
  notes: [...speedNotes, '', ...gatewayNotes],
  run: (flags, io) =>
    withGateway(flags, io, async (gateway) => {
      const { hostsSchema } = await fleetSchemas()
      const answer = await gateway.askFor(hostsSchema, 'GET', 'hosts')
      return tell(flags, io, { answer, text: hostsText(answer) })
    }),
}

const pauseHost: Command = {
  name: 'hosts pause',
  summary: 'Gives a host no request until hosts resume, or until the gateway starts again',
  operand: 'NAME',
  flags: [jsonFlag, ...gatewayFlags],
  notes: ['What runs there goes on, and so do probes: it is not down.', '', ...gatewayNotes],
  run: (flags, io, name) => setHost(flags, io, { name, verb: 'pause' }),
}

const resumeHost: Command = {
  name: 'hosts resume',
  summary: 'Gives a host requests again',
  operand: 'NAME',
  flags: [jsonFlag, ...gatewayFlags],
  notes: gatewayNotes,
  run: (flags, io, name) => setHost(flags, io, { name, verb: 'resume' }),
}

const listModels: Command = {
  name: 'models list',
  summary: 'Lists the models of a running gateway: their hosts, who waits for them, and how fast they are',
  flags: [jsonFlag, ...gatewayFlags],
  notes: [...speedNotes, 'hosts: those that may be given a request now, of those that have it.', '', ...gatewayNotes],
  run: (flags, io) =>
    withGateway(flags, io, async (gateway) => {
      const { modelsSchema } = await fleetSchemas()
      const answer = await gateway.askFor(modelsSchema, 'GET', 'models')
      return tell(flags, io, { answer, text: modelsText(answer) })
    }),
}

const listReplicas: Command = {
  name: 'replicas list',
  summary: 'Lists the gateways before the same hosts, and says whether they share their limits now',
  flags: [jsonFlag, ...gatewayFlags],
  notes: ['Without storage.redis it is the running gateway alone.', '', ...gatewayNotes],
  run: (flags, io) =>
    withGateway(flags, io, async (gateway) => {
      const { replicasSchema } = await import('../../http/admin/replicas-schema.ts')
      const answer = await gateway.askFor(replicasSchema, 'GET', 'replicas')
      return tell(flags, io, { answer, text: printableLines(replicasText(answer, systemClock.wallMs())) })
    }),
}

export const fleetCommands: readonly Command[] = [stats, listHosts, pauseHost, resumeHost, listModels, listReplicas]

type Verb = 'pause' | 'resume'

function setHost(flags: FlagValues, io: Io, { name, verb }: { name: string; verb: Verb }): Promise<number> {
  return withGateway(flags, io, async (gateway: AdminClient) => {
    const { lineHostSchema } = await import('../../queue/line-view-schema.ts')
    const host = await gateway.askFor(lineHostSchema, 'POST', `hosts/${inPath(name, 'host')}/${verb}`)
    const who = printable(host.name)
    const text = host.paused
      ? `${who} is paused: it is given no request until hosts resume. ${host.running} running there may finish.`
      : `${who} is given requests.`
    return tell(flags, io, { answer: host, text })
  })
}
