/** What the operator reads after a start: where to point clients, what was found, and what to do next. */
import { inMemory } from '../config/resolve.ts'
import type { HostReport } from '../gateway.ts'
import { printable } from './printable.ts'

export interface Addresses {
  readonly dataUrl: string
  readonly adminUrl: string
}

/** Who may use the gateway, as found at the start. */
export interface AccessReport {
  readonly liveKeys: number
  /** Clients without a key are served. */
  readonly isAnonymous: boolean
  /** `:memory:` keeps nothing. */
  readonly storePath: string
}

const namesShown = 5

/** What of it is told to others. */
export interface Watched {
  readonly metrics: { readonly enabled: boolean }
  readonly otlp: { readonly endpoint?: string | undefined }
}

export function listeningText(version: string, addresses: Addresses, { metrics, otlp }: Watched): string {
  const adminUrl = clientUrl(addresses.adminUrl)
  return [
    `LMX gateway ${version} is listening`,
    `  for clients  ${clientUrl(addresses.dataUrl)}/v1${isEverywhere(addresses.dataUrl) ? '  (on every address of this machine)' : ''}`,
    `  metrics      ${metrics.enabled ? `${adminUrl}/metrics` : `off (metrics.enabled); admin API at ${adminUrl}`}`,
    ...(otlp.endpoint === undefined ? [] : [`  OTLP         to ${printable(new URL(otlp.endpoint).origin)}`]),
  ].join('\n')
}

export function accessText({ liveKeys, isAnonymous, storePath }: AccessReport): string {
  const place = storePath === inMemory ? 'in memory: nothing is kept' : printable(storePath)
  return [`  keys         ${keysText(liveKeys, isAnonymous)}`, `  store        ${place}`].join('\n')
}

function keysText(liveKeys: number, isAnonymous: boolean): string {
  if (isAnonymous && liveKeys > 0) return `${liveKeys} live; clients without one are served as well`
  if (isAnonymous)
    return 'none: clients need none (lmx-gateway keys create --name NAME makes the first, which ends that)'
  if (liveKeys > 0) return `${liveKeys} live`
  return 'none is live, so nobody is served; lmx-gateway keys create --name NAME makes one'
}

/** `needsKey`: clients without one are not served. */
export function hostsText(
  hosts: readonly HostReport[],
  addresses: Addresses,
  probeEveryMs: number,
  needsKey = false,
): string {
  const width = Math.max(...hosts.map((host) => host.name.length))
  const lines = hosts.map((host) => `  ${host.name.padEnd(width)}  ${hostText(host, probeEveryMs)}`)
  return ['Hosts', ...lines, ...nextSteps(hosts, clientUrl(addresses.dataUrl), needsKey)].join('\n')
}

function hostText(host: HostReport, probeEveryMs: number): string {
  if (host.problem !== null) {
    return `not reachable: ${printable(host.problem)}; probing on every ${probeEveryMs / 1_000} s`
  }
  const names = host.models.slice(0, namesShown).map(printable)
  const more = host.models.length - names.length
  const list = names.length === 0 ? '' : ` (${names.join(', ')}${more > 0 ? ` and ${more} more` : ''})`
  return `${host.kind ?? 'kind unknown'}  ${counted(host.models.length, 'model')}${list}  ${counted(host.slots, 'slot')}`
}

function nextSteps(hosts: readonly HostReport[], url: string, needsKey: boolean): string[] {
  const reachable = hosts.filter((host) => host.problem === null)
  if (reachable.length === 0) {
    return [
      'No host can be reached yet. Check that one is running and that it listens on the network, not only for its own machine;',
      'or name another with --host-url http://ADDRESS:PORT. As soon as a host answers it is used; no restart is needed.',
    ]
  }
  const model = modelToTry(reachable.flatMap((host) => host.models))
  if (model === null)
    return [
      'No host has a model yet. As soon as one has, it is listed here:',
      `  curl ${url}/v1/models${needsKey ? keyHeader : ''}`,
    ]
  return [needsKey ? 'Try it, with a key in KEY:' : 'Try it:', `  ${curlLine(url, model)}${needsKey ? keyHeader : ''}`]
}

const keyHeader = ' -H "authorization: Bearer $KEY"'

/** A command that a shell takes as it stands, whatever the model is called. */
export function curlLine(url: string, model: string): string {
  const body = JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'Say hello.' }] })
  return `curl -N ${url}/v1/chat/completions -H 'content-type: application/json' -d '${body.replaceAll("'", "'\\''")}'`
}

/** Models that do not chat are listed beside those that do; their names usually tell. */
function modelToTry(models: readonly string[]): string | null {
  const sound = models.filter((model) => model === printable(model))
  return sound.find((model) => !/embed|rerank|whisper|tts|bge|kokoro/i.test(model)) ?? sound[0] ?? null
}

/** The address to type on this machine: a listener on every address has none of its own. */
function clientUrl(listener: string): string {
  return listener.replace(/\/$/, '').replace(/^(https?):\/\/(?:0\.0\.0\.0|\[::\])/, '$1://127.0.0.1')
}

function isEverywhere(listener: string): boolean {
  return clientUrl(listener) !== listener.replace(/\/$/, '')
}

function counted(count: number, noun: string): string {
  return `${count === 0 ? 'no' : count} ${noun}${count === 1 ? '' : 's'}`
}
