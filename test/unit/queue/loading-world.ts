/** A line before hosts that load what a request names, with the planner between, in virtual time: played upon at random. */
import { makeBalancing } from '../../../src/balancing/balancing.ts'
import { balancingOptions } from '../../../src/balancing/options.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { hostKind } from '../../../src/hosts/kinds/kinds.ts'
import { ModelCatalog } from '../../../src/hosts/model-catalog.ts'
import { ResidencyPlanner } from '../../../src/hosts/residency.ts'
import { canSpare } from '../../../src/hosts/spare-hosts.ts'
import { Dispatcher } from '../../../src/queue/dispatcher.ts'
import type { Lease } from '../../../src/queue/lease.ts'
import { queueOptions } from '../../../src/queue/options.ts'
import type { Turn } from '../../../src/queue/slot-request.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost, knownModel } from '../../kit/known-hosts.ts'
import { residencyDefaults } from '../hosts/residency-world.ts'

export interface Asked {
  readonly model: string
  /** Bytes of its prompt, as tokens. */
  readonly length: number
  readonly numCtx: number | null
  readonly key: string
}

export interface Asker extends Asked {
  state: 'waiting' | 'running' | 'over' | 'refused'
  lease: Lease | null
  isThere: boolean
  turn: Turn | null
}

const names = ['a', 'b', 'c']

export class LoadingWorld {
  readonly clock = new FakeClock()
  readonly hosts: readonly Host[]
  readonly planner: ResidencyPlanner
  readonly dispatcher: Dispatcher
  readonly askers: Asker[] = []
  readonly #catalog: ModelCatalog

  constructor(slots: readonly number[]) {
    const { clock } = this
    const onChange = (): void => this.dispatcher.hostsChanged()
    this.hosts = slots.map((count, at) => {
      const kind = hostKind('ollama')
      const parts = { clock, onChange, canSpare: (one: Host) => canSpare(one, this.hosts) }
      return knownHost(`h${at}`, { kind, slots: count, lists: null, parts })
    })
    for (const host of this.hosts) host.probeSucceeded({ models: names.map((id) => knownModel(id, false)) })
    this.#catalog = new ModelCatalog(this.hosts, {})
    this.planner = new ResidencyPlanner(() => residencyDefaults, { clock, onChange })
    const { balancer } = makeBalancing(balancingOptions.parse({}), {
      clock,
      chance: () => 0.5,
      accessOf: this.planner.accessOf,
    })
    this.dispatcher = new Dispatcher(queueOptions.parse({ waitMsMax: 86_400_000 }), {
      clock,
      balancer,
      planner: this.planner,
      events: { waitEnded() {}, rejected() {}, estimateTold() {}, gaveBack() {} },
    })
  }

  in(state: Asker['state']): Asker[] {
    return this.askers.filter((asker) => asker.state === state)
  }

  ask(asked: Asked): void {
    const { model, length, numCtx, key } = asked
    const asker: Asker = { ...asked, state: 'waiting', lease: null, isThere: false, turn: null }
    this.askers.push(asker)
    const route = this.#catalog.route(model, 'chat_completions')
    const prompt = { least: length / 2, most: length, textBytes: 4 * length, media: 0 }
    try {
      const fitting = route.fitting({
        prompt,
        outputLikely: 10,
        outputAsked: { least: null, most: null },
        numCtx,
      })
      asker.turn = this.dispatcher.ask({
        route: fitting,
        excluded: new Set(),
        holder: { id: key, name: key, weight: 1 },
        class: 'default',
        tokens: { input: length, output: 10 },
        place: 'newcomer',
        granted: (lease) => {
          asker.state = 'running'
          asker.lease = lease
        },
        refused: () => void (asker.state = 'refused'),
      })
    } catch {
      asker.state = 'refused'
    }
  }

  leave(asker: Asker): void {
    asker.turn?.leave()
    asker.state = 'over'
  }

  /** It gives its first content, so that its model is in memory. */
  content(asker: Asker): void {
    if (asker.isThere || asker.lease === null) return
    asker.isThere = true
    asker.lease.firstToken()
  }

  end(asker: Asker): void {
    asker.state = 'over'
    asker.lease?.release()
  }

  /** What the host says of its memory, and how long prompts may be in that. */
  probe(host: Host, contextTokens: number | undefined): void {
    const { memory } = host
    const models = names.map((id) => {
      const resident = memory.isResident(id) && memory.loading?.model !== id
      return resident && contextTokens !== undefined ? { ...knownModel(id), contextTokens } : knownModel(id, resident)
    })
    this.clock.advanceSync(1)
    if (host.probeSucceeded({ models })) this.dispatcher.hostsChanged()
  }

  /** They answer from now on; one that fell during its slow start is up only once it has waited for that. */
  probeAll(): void {
    for (const host of this.hosts) if (host.probeSucceeded({ models: null })) this.dispatcher.hostsChanged()
  }

  /** Rule 2 of the line: nobody waits beside an idle host that has the model in memory and room for the prompt. */
  *faults(): Generator<string> {
    // What is done once for all events of a turn.
    this.clock.advanceSync(0)
    for (const { request } of this.dispatcher.waiting()) {
      const { route } = request
      for (const { host, model } of route.candidates()) {
        const { memory } = host
        const isIdle = host.available && !host.paused && host.leases.size === 0 && memory.loading === null
        if (isIdle && memory.isResident(model))
          yield `${model} is waited for beside ${host.name}, which is idle and has it`
      }
      if (route.candidates().length === 0 && this.hosts.every(({ up }) => up))
        yield `${route.model} is waited for in vain`
    }
    const waiting = this.in('waiting').length
    if (waiting !== this.dispatcher.length) yield `${this.dispatcher.length} are in the line, not ${waiting}`
  }
}
