/** `hosts add`, `drain` and `remove`, and `reload`: the fleet of a running gateway is changed. */
import { GatewayError } from '../../base/errors.ts'
import type { FlagValues } from '../../config/settings.ts'
import type { LineHost } from '../../queue/line-view-schema.ts'
import type { AdminClient } from '../admin-client.ts'
import type { Command, Flag, Io } from '../command.ts'
import { inPath, jsonFlag, tell } from '../gateway-answer.ts'
import { printable, printableLines } from '../printable.ts'
import { gatewayFlags, gatewayNotes, withGateway } from '../running-gateway.ts'
import { stay } from '../stay.ts'

// Loaded when they are needed: a start of the gateway would wait for them, too.
const hostSchemas = () => import('../../http/admin/host-schema.ts')

/** How often a host that is drained is asked whether anything runs there still. */
const askEveryMs = 500

/** Fields of a host that have a flag. */
const hostFlags: readonly (Flag & { readonly field: string; readonly isNumber: boolean })[] = [
  {
    name: 'name',
    value: 'NAME',
    help: 'Its name; host and port of its URL unless said',
    field: 'name',
    isNumber: false,
  },
  { name: 'kind', value: 'KIND', help: 'Kind of server; detected unless said', field: 'kind', isNumber: false },
  { name: 'slots', value: 'N', help: 'Parallel requests; adapts unless said', field: 'slots', isNumber: true },
  {
    name: 'tier',
    value: 'N',
    help: 'Those of a lower one are filled before (default: 1)',
    field: 'tier',
    isNumber: true,
  },
  {
    name: 'weight',
    value: 'N',
    help: 'Its share where hosts are weighted (default: 1)',
    field: 'weight',
    isNumber: true,
  },
]

const addHost: Command = {
  name: 'hosts add',
  summary: 'Adds a host to a running gateway, until that starts again',
  operand: 'URL',
  flags: [...hostFlags.map(({ name, value, help }) => ({ name, value, help })), jsonFlag, ...gatewayFlags],
  notes: [
    'Only in the networks that admin.hostNetworks of its configuration names. The key that the host asks for is taken from',
    'LMX_GATEWAY_HOST_KEY. To keep a host, add it to the configuration: a running gateway takes it from there, too.',
    'Examples:',
    '  lmx-gateway hosts add http://192.168.1.7:1234 --name mini',
    '',
    ...gatewayNotes,
  ],
  run: (flags, io, url) =>
    withGateway(flags, io, async (gateway) => {
      const [{ hostAddedSchema }, { hostKey }] = await Promise.all([hostSchemas(), import('../../config/host-key.ts')])
      const apiKey = hostKey()
      const wanted = { url, ...fieldsOf(flags), ...(apiKey === undefined ? {} : { apiKey }) }
      const answer = await gateway.askFor(hostAddedSchema, 'POST', 'hosts', wanted)
      const text = `${printable(answer.name)} is added until the gateway starts again, and probed now: hosts list shows what it is.`
      return tell(flags, io, { answer, text })
    }),
}

/** What is no number goes as text: the gateway says what is wrong with it. */
function fieldsOf(flags: FlagValues): Record<string, string | number> {
  const given = hostFlags.flatMap(({ name, field, isNumber }): [string, string | number][] => {
    const value = flags.get(name)?.at(-1)
    if (value === undefined) return []
    return [[field, isNumber && /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : value]]
  })
  return Object.fromEntries(given)
}

const drainHost: Command = {
  name: 'hosts drain',
  summary: 'Gives a host no request, and waits until nothing runs there: then it may be switched off',
  operand: 'NAME',
  flags: [{ name: 'no-wait', value: '', help: 'Do not wait' }, jsonFlag, ...gatewayFlags],
  notes: ['hosts resume gives it requests again.', '', ...gatewayNotes],
  run: (flags, io, name) =>
    withGateway(flags, io, async (gateway) => {
      const waits = flags.get('no-wait')?.at(-1) !== 'true'
      let host = await drained(gateway, name)
      if (waits && host.running > 0) io.err(`${host.running} running at ${printable(host.name)}; waiting for the end.`)
      if (waits) host = await onceIdle(gateway, host)
      return tell(flags, io, { answer: host, text: drainedText(host) })
    }),
}

function drainedText({ name, paused, running }: LineHost): string {
  if (!paused) return `${printable(name)} was resumed meanwhile, and is given requests: ${running} running there.`
  const runs = running === 0 ? 'Nothing runs there any more.' : `${running} running there may finish.`
  return `${printable(name)} is given no request until hosts resume. ${runs}`
}

/** Or once somebody has resumed it, or it is gone. */
async function onceIdle(gateway: AdminClient, first: LineHost): Promise<LineHost> {
  const { lineViewSchema } = await import('../../queue/line-view-schema.ts')
  let host = first
  while (host.paused && host.running > 0) {
    await stay(askEveryMs)
    const { hosts } = await gateway.askFor(lineViewSchema, 'GET', 'queue?count=1')
    host = hosts.find(({ name }) => name === first.name) ?? { ...host, running: 0 }
  }
  return host
}

async function drained(gateway: AdminClient, name: string): Promise<LineHost> {
  const { lineHostSchema } = await import('../../queue/line-view-schema.ts')
  return gateway.askFor(lineHostSchema, 'POST', `hosts/${inPath(name, 'host')}/drain`)
}

const removeHost: Command = {
  name: 'hosts remove',
  summary: 'Takes a host out of a running gateway: what runs there may finish, and it is probed no more',
  operand: 'NAME',
  flags: [{ name: 'now', value: '', help: 'End what runs there' }, jsonFlag, ...gatewayFlags],
  notes: [
    'A host of the configuration stays away until the gateway starts again, or it is added again: to be rid of it for',
    'good, take it out of the file.',
    '',
    ...gatewayNotes,
  ],
  run: (flags, io, name) =>
    withGateway(flags, io, async (gateway) => {
      const { hostRemovedSchema } = await hostSchemas()
      const now = flags.get('now')?.at(-1) === 'true' ? '?now=true' : ''
      const answer = await gateway.askFor(hostRemovedSchema, 'DELETE', `hosts/${inPath(name, 'host')}${now}`)
      const runs = answer.running === 0 ? '' : ` ${answer.running} running there may finish.`
      const until = answer.isConfigured
        ? ' It is in the configuration still, and comes back when the gateway starts again.'
        : ''
      return tell(flags, io, { answer, text: `${printable(answer.name)} is taken out.${runs}${until}` })
    }),
}

const reload: Command = {
  name: 'reload',
  summary: 'Has a running gateway take its configuration anew, if it is good; says what has changed or what is wrong',
  flags: [jsonFlag, ...gatewayFlags],
  notes: [
    'A gateway does so by itself when its file changes (server.reloadOnChange), and on SIGHUP. check-config tells before',
    'what is wrong with a file.',
    '',
    ...gatewayNotes,
  ],
  run: (flags, io) =>
    withGateway(flags, io, async (gateway) => {
      const { configReloadSchema } = await hostSchemas()
      const answer = await gateway.askFor(configReloadSchema, 'POST', 'config/reload').catch(refusedIn(io))
      if (answer === null) return 1
      const { changed, waiting, hostsJoined, hostsLeft, notes } = answer
      const lines = [
        changed.length + waiting.length === 0 ? 'Nothing has changed.' : '',
        lineOf('Holds from now on: ', changed),
        lineOf('Hosts that came: ', hostsJoined),
        lineOf('Hosts that go: ', hostsLeft),
        lineOf('Holds once the gateway starts again: ', waiting),
        ...notes.map((note) => `Note: ${note}.`),
      ].filter((line) => line !== '')
      return tell(flags, io, { answer, text: printableLines(lines.join('\n')) })
    }),
}

/** Of a configuration that was not taken each problem has a line. */
function refusedIn(io: Io): (error: unknown) => null {
  return (error) => {
    if (!(error instanceof GatewayError) || !error.message.includes('\n')) throw error
    const [first = '', ...problems] = error.message.split('\n')
    io.err(`lmx-gateway: ${printable(first)}`)
    for (const problem of problems) io.err(printable(problem))
    return null
  }
}

function lineOf(what: string, names: readonly string[]): string {
  return names.length === 0 ? '' : `${what}${names.join(', ')}`
}

export const hostCommands: readonly Command[] = [addHost, drainHost, removeHost, reload]
