/** `hosts discover`: which inference hosts there are nearby; the only time that the gateway looks for any. */
import { networkInterfaces } from 'node:os'
import { systemClock } from '../../base/clock.ts'
import type { FlagValues } from '../../config/settings.ts'
import type { Discovered, DiscoverOptions, FoundHost } from '../../hosts/discovery/discover.ts'
import { version } from '../../version.ts'
import type { Command } from '../command.ts'
import { printable, printableJson, printableLines } from '../printable.ts'
import { textTable } from '../text-table.ts'

const addressesMax = 64
const secondsMax = 60
/** Until an address that says nothing is given up. */
const timeoutMs = 2_000

export const discover: Command = {
  name: 'hosts discover',
  summary: 'Looks for inference hosts nearby: those that announce themselves, and at addresses that you name',
  flags: [
    {
      name: 'address',
      value: 'ADDRESS',
      help: `Ask at it, at its own port or at those that are usual; up to ${addressesMax}`,
    },
    { name: 'no-mdns', value: '', help: 'Do not listen to announcements (_opta-lmx._tcp by multicast DNS)' },
    { name: 'seconds', value: 'N', help: 'How long to listen to announcements (default: 3)' },
    { name: 'interface', value: 'ADDRESS', help: 'Listen on the network of this address of the machine alone' },
    { name: 'json', value: '', help: 'What was found as JSON' },
  ],
  notes: [
    'Asked are http://ADDRESS at ports 1234 (LMX, LM Studio), 11434 (Ollama), 8000 (vLLM), 8080 (llama.cpp, mlx-lm) and',
    '30000 (SGLang), or the one port that is given; without any key, and with nothing that loads a model.',
    'Nothing is added: what is found is for you to put into the configuration. Announcements prove nothing.',
    'Examples:',
    '  lmx-gateway hosts discover',
    '  lmx-gateway hosts discover --address 10.0.0.5 --address mini.local:8081 --no-mdns',
  ],
  async run(flags, io) {
    const { discover: look, urlsOf } = await import('../../hosts/discovery/discover.ts')
    const options = optionsOf(flags, (address) => urlsOf(address) !== null)
    if (typeof options === 'string') {
      io.err(`lmx-gateway: ${options}`)
      return 1
    }
    io.err(lookingText(options))
    const found = await look(options, { clock: systemClock, userAgent: `lmx-gateway/${version()}` })
    if (found.browseProblem !== null) {
      io.err(`lmx-gateway: announcements cannot be heard here: ${printable(found.browseProblem)}`)
    }
    io.out(flags.get('json')?.at(-1) === 'true' ? printableJson(found) : printableLines(foundText(found).join('\n')))
    return 0
  },
}

/** Or one sentence on what is wrong with it. */
function optionsOf(flags: FlagValues, isAddress: (text: string) => boolean): DiscoverOptions | string {
  const addresses = flags.get('address') ?? []
  const one = (name: string): string | undefined => flags.get(name)?.at(-1)
  const wrong = addresses.find((address) => !isAddress(address))
  if (wrong !== undefined) return `"${printable(wrong)}" is no address; write it like 10.0.0.5 or mini.local:1234`
  if (addresses.length > addressesMax) return `at most ${addressesMax} addresses are asked at once`
  const seconds = Number(one('seconds') ?? 3)
  if (!(seconds > 0 && seconds <= secondsMax)) return `--seconds takes a number up to ${secondsMax}`
  const listens = one('no-mdns') !== 'true'
  if (!listens && addresses.length === 0) return 'with --no-mdns there must be an --address to ask at'
  const network = one('interface')
  const own = ownAddresses()
  if (network !== undefined && !own.includes(network)) return `--interface takes one of ${own.join(', ')}`
  return { addresses, browseMs: listens ? seconds * 1_000 : null, interface: network, timeoutMs }
}

/** IPv4 ones of this machine: multicast DNS is listened to there. */
function ownAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return all.flatMap(({ family, address }) => (family === 'IPv4' ? [address] : []))
}

function lookingText({ addresses, browseMs }: DiscoverOptions): string {
  const listening = browseMs === null ? [] : [`listening to announcements for ${browseMs / 1_000} s`]
  const asking = addresses.length === 0 ? [] : [`asking at ${addresses.map(printable).join(', ')}`]
  return `Looking for hosts: ${[...listening, ...asking].join(', then ')} …`
}

function foundText({ hosts, silent }: Discovered): readonly string[] {
  const nothing = silent.length === 0 ? [] : [`Nothing answers at ${silent.join(', ')}.`]
  if (hosts.length === 0) {
    return [
      ...nothing,
      'No host was found. One on another network does not hear multicast DNS: name its address with --address.',
    ]
  }
  const rows = hosts.map((host) => [
    host.url,
    host.kind ?? 'unknown',
    host.announcedAs ?? '',
    modelsOf(host),
    host.problem ?? '',
  ])
  const titles = ['url', 'kind', 'announced as', 'models', 'problem'].map((title) => ({ title }))
  return [...textTable(titles, rows).split('\n'), ...nothing, '', ...exampleOf(hosts)]
}

const modelsShownMax = 3

function modelsOf({ models }: FoundHost): string {
  const more = models.length - modelsShownMax
  return models.slice(0, modelsShownMax).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

/** What would make them hosts of the gateway. */
function exampleOf(hosts: readonly FoundHost[]): readonly string[] {
  const useful = hosts.filter(({ kind }) => kind !== null)
  if (useful.length === 0) return []
  return [
    'None of them is used yet. To use one, put it into the configuration file:',
    'hosts:',
    ...useful.map(({ url, kind }) => `  - { url: "${url}", kind: ${kind} }`),
  ]
}
