/** Places, asks and decisions for tests of what is decided by them: a quiet host that is free, unless said otherwise. */
import type { Balancer } from '../../src/balancing/balancer.ts'
import type { Decision } from '../../src/balancing/decision.ts'
import type { Ask, Place } from '../../src/balancing/policy.ts'
import { noPrompt } from '../../src/balancing/prompt.ts'
import { assumedSpeed } from '../../src/balancing/speed.ts'
import type { Host } from '../../src/hosts/host.ts'
import { Bill } from '../../src/queue/bill.ts'
import type { Flow } from '../../src/queue/flow.ts'
import { knownHost } from './known-hosts.ts'

export function placeAt(name: string, more: Partial<Place> = {}): Place {
  return {
    host: more.host ?? knownHost(name),
    model: 'm',
    isFree: true,
    slotWaitMs: 0,
    loadMs: 0,
    running: 0,
    inputAhead: 0,
    outputAhead: 0,
    uncachedTokens: 1_000,
    sentTokens: 0,
    isHome: false,
    lastHere: false,
    speed: assumedSpeed,
    ...more,
  }
}

export function askFor(more: Partial<Ask> = {}): Ask {
  return { model: 'm', class: 'default', tokens: { input: 1_000, output: 300 }, prompt: noPrompt, ...more }
}

export function decisionFor(host: Host, model = 'm'): Decision {
  const place = placeAt(host.name, { host, model })
  return {
    policy: 'least-busy',
    place,
    reason: 'only_host',
    considered: [{ place, score: null, leftOut: null }],
    waitMsMax: 0,
  }
}

/** What a lease of the host is made with. */
export function billed(flow: Flow, host: Host, balancer: Balancer, expected = { input: 0, output: 0 }) {
  const bill = new Bill(flow, { host, expected })
  const assignment = balancer.begin(askFor({ tokens: expected }), placeAt(host.name, { host }), bill)
  return { bill, assignment }
}
