/** Measures what choosing a host costs, in this process: before 16 hosts, 10,000 beginnings of prompts remembered. */
import type { Assignment } from '../../src/balancing/assignment.ts'
import { type Balancing, makeBalancing } from '../../src/balancing/balancing.ts'
import { balancingOptions, type PolicyName, policyNames } from '../../src/balancing/options.ts'
import type { Ask } from '../../src/balancing/policy.ts'
import { noPrompt, type Prompt } from '../../src/balancing/prompt.ts'
import type { PromptReader } from '../../src/balancing/prompt-reader.ts'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import type { Host } from '../../src/hosts/host.ts'
import { hostKind } from '../../src/hosts/kinds/kinds.ts'
import { ResidencyPlanner } from '../../src/hosts/residency.ts'
import { readJsonBody } from '../../src/wire/request-body.ts'
import { knownHost, knownModel } from '../kit/known-hosts.ts'
import { SeededRandom } from '../soak/seeded-random.ts'
import { median } from './statistics.ts'

export interface ToChoosingBench {
  /** Choices that are measured of each policy. */
  readonly steps: number
}

/** `learned`: each host has shown how fast it is. `cold`: each holds three other models, and would have to load this one. */
export type ChoiceCase = 'learned' | 'cold'

export interface FromChoosingBench {
  readonly choiceUs: Readonly<Record<PolicyName, ChoiceUs>>
  /** Of the default policy. */
  readonly caseUs: Readonly<Record<ChoiceCase, ChoiceUs>>
  /** Digests of the beginnings of a prompt, for each kB of it; by the length of its body in kB. */
  readonly printUsPerKb: readonly { readonly kb: number; readonly us: number }[]
}

/** Of short runs, all with the same choices. */
export interface ChoiceUs {
  readonly median: number
  /** Without what others on the machine take from the caches of its core. */
  readonly least: number
}

const runs = 20
const hosts = 16
const slots = 8
/** Of some thirteen beginnings each. */
const conversations = 800
/** As long as they are on average: with the words of a system that all of them have in common, and four turns. */
const systemBytes = 4_096
const turns = 4
const turnBytes = 1_500
const kbsMeasured = [1, 16, 256]
const bytesPrinted = 16 * 1_048_576

process.on('message', (order: ToChoosingBench) => process.send?.(measured(order)))
process.on('disconnect', () => process.exit(0))

function measured({ steps }: ToChoosingBench): FromChoosingBench {
  const choiceUs = Object.fromEntries(policyNames.map((policy) => [policy, choiceUsOf(policy, steps)]))
  const caseUs = { learned: choiceUsOf('fastest', steps, 'learned'), cold: coldChoiceUsOf(steps) }
  return { choiceUs: choiceUs as Record<PolicyName, ChoiceUs>, caseUs, printUsPerKb: kbsMeasured.map(printUsOf) }
}

/** A quarter of the hosts are full, as a fleet is at which the choice matters; each other has some to do. */
function choiceUsOf(policy: PolicyName, steps: number, of?: ChoiceCase): ChoiceUs {
  const random = new SeededRandom(1)
  const balancing = makeBalancing(balancingOptions.parse({ policy }), {
    clock: systemClock,
    chance: () => random.next(),
  })
  const { balancer } = balancing
  const fleet = Array.from({ length: hosts }, (_, at) => knownHost(`host-${at}`, { slots }))
  const candidates = fleet.map((host) => ({ host, model: 'm' }))
  const asks = Array.from({ length: conversations }, (_, at) => askOf(at, balancing.prompts))
  const situation = { mayWait: true, waitingFor: () => 0 }
  const given = (ask: Ask, host: Host): Assignment => {
    const decision = balancer.choose(ask, [{ host, model: 'm' }], situation)
    if (decision === null) throw new Error('a host has no slot left')
    return balancer.begin(ask, decision.place, { output: 0 })
  }
  for (const [at, ask] of asks.entries()) given(ask, fleet[at % hosts]!).end()
  for (const [at, host] of fleet.entries()) {
    const running = at % 4 === 0 ? slots : slots / 2
    while (host.leases.size < running) host.leases.add(given(random.of(asks as [Ask, ...Ask[]]), host))
  }
  if (of === 'learned') for (const host of fleet) learn(balancing, host)
  const chosen = Array.from({ length: Math.ceil(steps / runs) }, () => random.of(asks as [Ask, ...Ask[]]))
  return costOf(chosen, (ask) => balancer.choose(ask, candidates, situation))
}

/** Some answers of each host, no two alike. */
function learn({ speeds }: Balancing, host: Host): void {
  for (let at = 1; at <= 20; at++) {
    speeds.observe(host, 'm', {
      inputRead: 200 * at,
      inputAhead: 0,
      firstTokenMs: 250 * at,
      timePerOutputTokenMs: 20 + at,
      outputTokens: 200,
      together: 1 + (at % 4),
      beganAtMs: systemClock.now(),
    })
  }
}

function coldChoiceUsOf(steps: number): ChoiceUs {
  const parts = { clock: systemClock, onChange: () => {} }
  const planner = new ResidencyPlanner(() => residencyDefaults, parts)
  const options = balancingOptions.parse({})
  const { accessOf } = planner
  const { balancer } = makeBalancing(options, { clock: systemClock, chance: Math.random, accessOf })
  const candidates = Array.from({ length: hosts }, (_, at) => ({ host: loadedHost(`host-${at}`, parts), model: 'm' }))
  const demand = { candidates, waiting: 1, waitMs: () => null, holder: null, holders: () => [], charge: () => {} }
  planner.plan([demand])
  const ask = { ...noAsk, tokens: { input: 1_000, output: 300 } }
  const asks = Array.from({ length: Math.ceil(steps / runs) }, () => ask)
  const costs = costOf(asks, (one) => balancer.choose(one, candidates, { mayWait: true, waitingFor: () => 0 }))
  planner.stop()
  return costs
}

const others = ['a', 'b', 'c']
const residencyDefaults = { keepMsMin: 60_000, loadShareMax: 0.1, loadMsDefault: 30_000, loadsPerHourMax: 20 }

function loadedHost(name: string, parts: { readonly clock: Clock; readonly onChange: () => void }): Host {
  const host = knownHost(name, { kind: hostKind('ollama'), slots, lists: null, parts })
  host.probeSucceeded({ models: [...others, 'm'].map((id) => knownModel(id, id !== 'm')) })
  for (const model of others) {
    const use = {}
    host.memory.began(model, use)
    host.memory.ended(model, use, null)
  }
  return host
}

function costOf(asks: readonly Ask[], choose: (ask: Ask) => unknown): ChoiceUs {
  const all = (): void => {
    for (const ask of asks) choose(ask)
  }
  for (let done = 0; done < 2_000; done += asks.length) all()
  const costs = Array.from({ length: runs }, () => cpuUs(all) / asks.length)
  return { median: median(costs), least: Math.min(...costs) }
}

function askOf(at: number, prompts: PromptReader): Ask {
  const prompt = promptOf(bodyOf(at, systemBytes, turns), prompts)
  const input = (systemBytes + turns * turnBytes) / 4
  return { ...noAsk, tokens: { input, output: 300 }, prompt }
}

const noAsk = { model: 'm', class: 'default', prompt: noPrompt } as const

function promptOf(bytes: Buffer, prompts: PromptReader): Prompt {
  return prompts.read(readJsonBody(bytes, bodyRules), { conversation: null, person: null }, 'key')
}

const bodyRules = { choicesMax: 8, messagesMax: 4_096 }

function bodyOf(at: number, bytesOfSystem: number, countOfTurns: number): Buffer {
  const word = `conversation ${at} `
  const messages = [
    { role: 'system', content: 'You are a helpful assistant. '.repeat(bytesOfSystem / 29) },
    ...Array.from({ length: countOfTurns }, (_, turn) => ({
      role: turn % 2 === 0 ? 'user' : 'assistant',
      content: `${turn} ${word.repeat(turnBytes / word.length)}`,
    })),
  ]
  return Buffer.from(JSON.stringify({ model: 'm', messages }))
}

/** What is read of a body beside it is not counted. */
function printUsOf(kb: number): { kb: number; us: number } {
  const { prompts }: Balancing = makeBalancing(balancingOptions.parse({}), { clock: systemClock, chance: Math.random })
  const bytes = bodyOf(1, (kb * 1_024) / 2, Math.ceil((kb * 1_024) / 2 / turnBytes))
  const body = readJsonBody(bytes, bodyRules)
  const times = Math.ceil(bytesPrinted / bytes.length)
  const print = (): Prompt => prompts.read(body, { conversation: null, person: null }, 'key')
  for (let done = 0; done < times / 4; done++) print()
  const us = cpuUs(() => {
    for (let done = 0; done < times; done++) print()
  })
  return { kb, us: us / times / (bytes.length / 1_024) }
}

/** Of processor time, so that it counts for nothing what else the machine does. */
function cpuUs(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}
