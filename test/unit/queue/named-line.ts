/** A line whose requests have names, so that an order can be read. */
import type { RequestClass } from '../../../src/base/request-class.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { type Asker, type LineOptions, line } from './line.ts'

export interface Sent {
  readonly key?: string
  readonly class?: RequestClass
  readonly model?: string
  readonly weight?: number
  /** Of its prompt: charged at the grant. */
  readonly tokens?: number
}

export function namedLine(hosts: readonly Host[], options: LineOptions = {}) {
  const before = line(hosts, options)
  const names = new Map<Asker, string>()
  const send = (name: string, { model = 'm', tokens = 0, ...more }: Sent = {}): Asker => {
    const asker = before.ask(model, { ...more, tokens: { input: tokens, output: 0 } })
    names.set(asker, name)
    return asker
  }
  /** Of the grants so far. */
  const order = (): string[] => before.granted.map((asker) => names.get(asker) ?? '?')
  /** Ends the oldest that runs, again and again, until nobody waits; the names in the order of their grants since. */
  const serveAll = (): string[] => {
    const from = before.granted.length
    for (let ended = 0; before.dispatcher.length > 0; ended += 1) before.granted[ended]?.lease?.release()
    return order().slice(from)
  }
  return { ...before, send, order, serveAll }
}

export const oneSlot = () => [knownHost('a', { slots: 1 })]

/** Holds a slot, for which its key was charged so many tokens. */
export function served(
  send: (name: string, sent: Sent) => Asker,
  key: string,
  tokens: number,
  ofClass: RequestClass = 'default',
) {
  return send(`running of ${key}`, { key, tokens, class: ofClass })
}
