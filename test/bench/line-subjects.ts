/** The line as it is measured: alone, and with the dispatcher around it, both with 200 keys and every slot taken. */
import { systemClock } from '../../src/base/clock.ts'
import { GatewayError } from '../../src/base/errors.ts'
import { ModelCatalog } from '../../src/hosts/model-catalog.ts'
import { Dispatcher } from '../../src/queue/dispatcher.ts'
import { Flows } from '../../src/queue/flow.ts'
import type { Lease } from '../../src/queue/lease.ts'
import { Line, ranks } from '../../src/queue/line.ts'
import { queueOptions } from '../../src/queue/options.ts'
import type { SlotRequest, Turn } from '../../src/queue/slot-request.ts'
import { Waiter } from '../../src/queue/waiter.ts'
import { balancerOf } from '../kit/balancers.ts'
import { knownHost } from '../kit/known-hosts.ts'
import { SeededRandom } from '../soak/seeded-random.ts'

/** Something in which requests wait, and of which each step is measured apart. */
export interface LineSubject<Entry> {
  readonly waiting: number
  add(): Entry
  /** Whoever goes next goes. */
  take(): void
  leave(entry: Entry): void
  end(): void
}

const keys = 200
const slots = 64
const tokens = { input: 500, output: 200 }
/** What each is charged, in cost. */
const served = 900
const boundMax = Number.MAX_SAFE_INTEGER
const endpoint = 'chat_completions'

/** The order alone, as the dispatcher uses it. */
export class LineAlone implements LineSubject<Waiter> {
  readonly #random = new SeededRandom(1)
  readonly #line = new Line(ranks['token-fair'])
  readonly #flows = new Flows(keys)
  readonly #host = knownHost('a')
  /** One for each key, so that memory is that of waiting and not that of requests. */
  readonly #requests: readonly SlotRequest[]

  constructor(models: number) {
    const catalog = catalogOf(models)
    this.#requests = Array.from({ length: Math.max(keys, models) }, (_, at) => ({
      ...request(at % keys),
      route: catalog.route(modelName(at % models), endpoint),
      granted() {},
      refused() {},
    }))
  }

  get waiting(): number {
    return this.#line.size
  }

  add(): Waiter {
    const asked = this.#requests[this.#random.between(0, this.#requests.length - 1)]!
    const lane = this.#line.laneOf(asked)
    const flow = this.#flows.of(asked.holder)
    if (flow.waiting === 0)
      this.#flows.returns(
        flow,
        this.#host,
        this.#line.leastCounter(this.#host, () => true),
      )
    const waiter = new Waiter(asked, { flow, lane, sinceMs: 0, cost: served })
    this.#line.add(waiter, 'newcomer')
    return waiter
  }

  take(): void {
    const next = this.#line.next({ host: this.#host, fits: () => true, isShort: () => false })
    if (next === undefined || !this.#line.remove(next)) throw new Error('the line lost its next one')
    next.flow.charge(this.#host, served)
  }

  leave(waiter: Waiter): void {
    this.#line.remove(waiter)
  }

  end(): void {}
}

/** What a gateway pays: estimate, bounds, timers, lease and bill with it. */
export class LineInDispatcher implements LineSubject<Turn> {
  readonly #random = new SeededRandom(1)
  readonly #catalog: ModelCatalog
  readonly #models: number
  readonly #leases: Lease[] = []
  #oldestLease = 0
  readonly #dispatcher = new Dispatcher(
    queueOptions.parse({
      lengthMax: boundMax,
      lengthMaxPerKey: boundMax,
      tokensMax: boundMax,
      tokensMaxPerKey: boundMax,
    }),
    {
      clock: systemClock,
      balancer: balancerOf({ clock: systemClock }),
      events: { waitEnded() {}, rejected() {}, estimateTold() {}, gaveBack() {} },
    },
  )

  constructor(models: number) {
    this.#models = models
    this.#catalog = catalogOf(models)
    for (let slot = 0; slot < slots; slot++) this.add()
  }

  get waiting(): number {
    return this.#dispatcher.length
  }

  add(): Turn {
    return this.#dispatcher.ask({
      ...request(this.#random.between(0, keys - 1)),
      route: this.#catalog.route(modelName(this.#random.between(0, this.#models - 1)), endpoint),
      granted: (lease) => this.#leases.push(lease),
      refused: (error) => {
        if (error.code !== 'gateway_shutting_down') throw error
      },
    })
  }

  take(): void {
    const lease = this.#leases[this.#oldestLease++]
    if (lease === undefined) throw new Error('nobody has a slot')
    lease.bill.generated(tokens.output)
    lease.succeeded()
    lease.release()
  }

  leave(turn: Turn): void {
    turn.leave()
  }

  end(): void {
    this.#dispatcher.close(new GatewayError('gateway_shutting_down', 'The benchmark is over.'))
  }
}

function request(key: number) {
  return {
    excluded: new Set<never>(),
    holder: { id: `key-${key}`, name: `key-${key}`, weight: 1 },
    class: 'default',
    tokens,
    place: 'newcomer',
    // Longer than any wait that could be predicted.
    patienceMs: 3_600_000,
  } as const
}

function catalogOf(models: number): ModelCatalog {
  const lists = Array.from({ length: models }, (_, at) => modelName(at))
  return new ModelCatalog([knownHost('host', { slots, lists })], {})
}

function modelName(at: number): string {
  return `org/model-${at}`
}
