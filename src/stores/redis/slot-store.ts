/** Slots of hosts that several gateways give out together, as leases that end with the gateway that holds them. */
import type { Clock, Timer } from '../../base/clock.ts'
import type { ModelWish, SharedSlots, SlotAnswer, SlotHolder, SlotWish } from '../../queue/shared-slots.ts'
import type { Replicas } from '../../replicas/replicas.ts'
import type { RedisLink } from './link.ts'
import { beginLoadScript, endLoadScript } from './load-scripts.ts'
import { takeScript, tellScript } from './slot-scripts.ts'

export interface RedisSlotStoreParts {
  readonly clock: Clock
  readonly link: Pick<RedisLink, 'key' | 'run' | 'subscribe' | 'onUp' | 'isUp'>
  readonly replicas: Pick<Replicas, 'id' | 'ids' | 'count' | 'isShared' | 'onEpoch'>
  readonly goneAfterMs: number
  /** What a request waits at the most for what all gateways decide together. */
  readonly answerMsMax: number
}

type Argument = string | number

/** What was not heard, or was lost on the way, is told once more. */
const tellEveryMs = 1_000
/** Once Redis is there again the others have so long to come back and tell what they hold, before anything is granted by what it has. */
const othersReturnMs = 1_000
/** After a start, where Redis is there: until it is known who else is. */
const firstMomentMs = 3_000
/** With less than that left nobody is asked. */
const answerMsMin = 1
const notYet: SlotAnswer = { granted: false, elsewhere: 0 }

/** Of one host. */
interface Told {
  /** Those of which the answer is not known. */
  readonly open: Set<number>
  held: number
  /** Whether Redis has heard what was sent last is not known. */
  isDoubtful: boolean
  /** Number of that. */
  last: number
  /** Number of the first message that tells all anew, until one of those was answered; 0 where that is so. */
  anewFrom: number
  readonly keys: readonly string[]
  /** Where the host cannot hold all its models. */
  readonly keysWithModels: readonly string[]
}

/** Of a model, which this gateway has made. */
interface OwnLoad {
  readonly args: readonly string[]
  readonly sinceMs: number
}

export class RedisSlotStore implements SharedSlots {
  readonly #parts: RedisSlotStoreParts
  readonly #told = new Map<string, Told>()
  readonly #loads = new Map<string, OwnLoad>()
  readonly #ofAll: readonly string[]
  readonly #freeChannels: string
  #holder: SlotHolder | null = null
  /** Of messages: Redis takes none that is older than one it has. */
  #number = 0
  #wasUp = false
  #hasShared = false
  #startedAtMs = Number.NEGATIVE_INFINITY
  #sharesAtMs = Number.NEGATIVE_INFINITY
  #timer: Timer | null = null

  constructor(parts: RedisSlotStoreParts) {
    this.#parts = parts
    this.#ofAll = [parts.link.key('epoch'), parts.link.key('alive')]
    this.#freeChannels = parts.link.key('free:')
    parts.link.onUp(() => this.#isUpAgain())
    parts.replicas.onEpoch(() => this.#tellAnew())
  }

  begin(holder: SlotHolder): void {
    this.#holder = holder
  }

  async start(): Promise<void> {
    const { clock, link, replicas } = this.#parts
    this.#startedAtMs = clock.now()
    // It is to come back, as for those that have seen it go.
    if (!link.isUp) this.#wasUp = true
    this.#tellNow()
    await link.subscribe(link.key(`free:${replicas.id}`), (message) => this.#heard(message))
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  get knownForMs(): number {
    return this.#isShared() ? this.#parts.goneAfterMs : 0
  }

  /** Redis has heard what is held of each host since it was emptied. */
  get hasTold(): boolean {
    return this.#told.values().every(({ anewFrom }) => anewFrom === 0)
  }

  take(wish: SlotWish, answered: (answer: SlotAnswer | null) => void): void {
    const { host, rank, next, waiting, models, spentMs = 0 } = wish
    const { link } = this.#parts
    const answerMsMax = this.#parts.answerMsMax - spentMs
    if (!this.#isShared() || answerMsMax < answerMsMin) {
      answered(this.#isFirstMoment() ? notYet : null)
      return
    }
    const told = this.#toldOf(host)
    const number = ++this.#number
    const args = this.#args(host, told, number)
    args.push(rank.band, rank.counter, next?.band ?? '', next?.counter ?? '', waiting)
    told.open.add(number)
    if (models !== undefined) this.#addModels(args, host, models)
    const keys = models === undefined ? told.keys : told.keysWithModels
    const late = (answer: SlotAnswer): void => {
      this.#heardOf(told, number)
      if (answer.granted) this.tell(host, true)
      this.#holder?.late(host, answer)
    }
    const over = (answer: SlotAnswer | null): void => {
      told.open.delete(number)
      if (answer !== null) {
        this.#hasShared = true
        this.#heardOf(told, number)
      }
      answered(answer ?? (this.#isFirstMoment() ? notYet : null))
    }
    link.run(takeScript, keys, args, { answerMsMax, late }).then(over, () => over(null))
  }

  tell(host: string, claims: boolean): void {
    const { link } = this.#parts
    if (!link.isUp) return
    const told = this.#toldOf(host)
    const number = ++this.#number
    const args = this.#args(host, told, number)
    args.push(claims ? 1 : 0)
    const models = this.#holder?.at(host).models
    if (models !== undefined) args.push(models.join('\n'))
    const keys = models === undefined ? told.keys : told.keysWithModels
    // Nobody waits for it, so that it need not be lost behind an answer that is late.
    link.run(tellScript, keys, args, { answerMsMax: tellEveryMs }).then(
      () => this.#heardOf(told, number),
      // It stays in doubt, and is told again before long.
      () => {},
    )
  }

  #heardOf(told: Told, number: number): void {
    if (told.last === number) told.isDoubtful = false
    if (number >= told.anewFrom) told.anewFrom = 0
  }

  /** True too where nobody can tell: then what runs at the host is asked of that alone, as by a gateway without others. */
  async beginLoad(host: string, model: string, evicts: readonly string[]): Promise<boolean> {
    const load = this.#ownLoad(model, evicts, false)
    try {
      if (!(await this.#beginOrGoOn(host, load))) return false
    } catch {
      return true
    }
    this.#loads.set(host, load)
    return true
  }

  endLoad(host: string): void {
    const { link, replicas } = this.#parts
    if (!this.#loads.delete(host)) return
    link.run(endLoadScript, [link.key('epoch'), link.key(`load:${host}`)], [replicas.id]).catch(() => {})
  }

  shareOf(limit: number): number {
    const { ids, id, count } = this.#parts.replicas
    // After a start while Redis is away nobody knows who the others are, and whose the rest would be: it is nobody's.
    const rest = ids.length === count && ids.indexOf(id) < limit % count ? 1 : 0
    return Math.max(1, Math.floor(limit / count) + rest)
  }

  #ownLoad(model: string, evicts: readonly string[], isAlone = evicts.length > 0): OwnLoad {
    return { args: [model, isAlone ? '1' : '0', evicts.join('\n')], sinceMs: this.#parts.clock.now() }
  }

  #addModels(args: Argument[], host: string, { model, load }: ModelWish): void {
    const [, isAlone = '', evicts = ''] = load === null ? [] : this.#ownLoad(model, load.evicts).args
    args.push(model, this.#holder?.at(host).models?.join('\n') ?? '', isAlone, evicts)
    if (load !== null) this.#loads.set(host, this.#ownLoad(model, load.evicts))
  }

  #beginOrGoOn(host: string, { args }: OwnLoad): Promise<boolean> {
    const { link, replicas, goneAfterMs } = this.#parts
    const keys = [link.key('epoch'), link.key('alive'), link.key(`models:${host}`), link.key(`load:${host}`)]
    return link.run(beginLoadScript, keys, [replicas.id, goneAfterMs, ...args])
  }

  /** Those that go on are not to end by time; the others may have ended without a word. */
  #tellLoads(): void {
    for (const [host, load] of this.#loads) {
      const isOver = this.#holder?.at(host).loads !== true && this.#parts.clock.now() - load.sinceMs >= tellEveryMs
      if (isOver) this.endLoad(host)
      else this.#beginOrGoOn(host, load).catch(() => {})
    }
  }

  #isShared(): boolean {
    const { clock, replicas } = this.#parts
    return replicas.isShared && clock.now() >= this.#sharesAtMs
  }

  /** Of gateways that start together before an empty Redis none knows yet how many they are, and a share would be all. */
  #isFirstMoment(): boolean {
    const { clock, link } = this.#parts
    return !this.#hasShared && link.isUp && clock.now() - this.#startedAtMs < firstMomentMs
  }

  #toldOf(host: string): Told {
    let told = this.#told.get(host)
    if (told === undefined) {
      const { link } = this.#parts
      const keys = [...this.#ofAll, link.key(`slots:${host}`), link.key(`claims:${host}`)]
      const keysWithModels = [...keys, link.key(`models:${host}`), link.key(`load:${host}`)]
      told = { open: new Set(), held: 0, isDoubtful: false, last: 0, anewFrom: 0, keys, keysWithModels }
      this.#told.set(host, told)
    }
    return told
  }

  /** Of a message that is sent then. */
  #args(host: string, told: Told, number: number): Argument[] {
    const { replicas, goneAfterMs } = this.#parts
    const { held, limit } = this.#holder?.at(host) ?? { held: 0, limit: 0 }
    told.held = held
    told.last = number
    told.isDoubtful = true
    const [firstOpen = number] = told.open
    return [replicas.id, goneAfterMs, number, firstOpen - 1, held, limit, host, this.#freeChannels]
  }

  #isUpAgain(): void {
    if (this.#wasUp) this.#sharesAtMs = this.#parts.clock.now() + othersReturnMs
    this.#wasUp = true
    this.#tellAll()
  }

  #tellAnew(): void {
    for (const told of this.#told.values()) told.anewFrom = this.#number + 1
    this.#tellAll()
  }

  #tellNow(): void {
    this.#tellAll()
    this.#tellLoads()
    this.#timer = this.#parts.clock.after(tellEveryMs, () => this.#tellNow())
  }

  /** Of hosts of which nothing was held nothing need be told again. */
  #tellAll(): void {
    for (const [host, told] of this.#told) {
      const { held } = this.#holder?.at(host) ?? { held: 0 }
      const isKnown = told.open.size === 0 && !told.isDoubtful
      if (held === 0 && told.held === 0 && isKnown) this.#told.delete(host)
      else this.tell(host, true)
    }
  }

  #heard(message: string): void {
    const [, elsewhere, host] = /^(\d+) (.+)$/s.exec(message) ?? []
    if (host !== undefined) this.#holder?.freed(host, Number(elsewhere))
  }
}
