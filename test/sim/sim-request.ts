/** One request of a simulation, from its arrival to its end: what the relay does with a real one. */
import type { Estimates } from '../../src/access/estimates.ts'
import type { Reservation, Subject } from '../../src/access/limiter.ts'
import type { OwnLines } from '../../src/access/own-lines.ts'
import type { Clock, Timer } from '../../src/base/clock.ts'
import type { Host } from '../../src/hosts/host.ts'
import type { Route } from '../../src/hosts/model-catalog.ts'
import type { Dispatcher } from '../../src/queue/dispatcher.ts'
import type { Lease } from '../../src/queue/lease.ts'
import type { Place } from '../../src/queue/slot-request.ts'
import type { Ended, Ending } from './ended.ts'
import { type FluidHost, toRead, type Work } from './fluid-host.ts'
import type { Gate } from './key-gate.ts'
import type { ServiceGap } from './service-gap.ts'
import type { Arrival } from './workload.ts'

/** Where a request comes to. */
export interface SimGateway {
  readonly clock: Clock
  readonly estimates: Estimates
  readonly ownLines: OwnLines
  readonly gate: Gate
  readonly dispatcher: Dispatcher
  readonly route: Route
  readonly gap: ServiceGap
  /** Those at a machine. */
  readonly running: Set<SimRequest>
  machine(host: Host): FluidHost
  keyNumber(key: string): number
  ended(request: SimRequest, ended: Ended): void
}

const emptyBody = Buffer.from('{}')
const noHosts: ReadonlySet<never> = new Set()
const timesGivenBackMax = 3

interface Attempt {
  readonly lease: Lease
  readonly work: Work
  /** Of what was written, how much is on the bill. */
  charged: number
}

export class SimRequest {
  readonly arrival: Arrival
  readonly #sim: SimGateway
  readonly #keyNumber: number
  readonly #learn: (output: number) => void
  readonly #outputExpected: number
  #reservation: Reservation | null = null
  #leaveLine: () => void = () => {}
  #isWaiting = false
  #attempt: Attempt | null = null
  #firstTokenAtMs: number | null = null
  #readBefore = 0
  #timesGivenBack = 0
  #askedAtMs: number | null = null
  #patience: Timer | null = null
  #isOver = false

  constructor(sim: SimGateway, arrival: Arrival) {
    this.#sim = sim
    this.arrival = arrival
    this.#keyNumber = sim.keyNumber(arrival.stream.key)
    const { expected, learn } = sim.estimates.expect({
      who: arrival.stream.key,
      model: sim.route.model,
      endpoint: 'chat_completions',
      body: emptyBody,
      maxOutputTokens: null,
      leastOutputTokens: null,
      choices: 1,
    })
    this.#outputExpected = Math.max(1, Math.round(expected.output * arrival.outputMistake))
    this.#learn = (output) => learn({ input: 0, cachedInput: 0, output, reasoning: 0 })
  }

  begin(): void {
    const { leavesAfterMs } = this.arrival.stream
    if (leavesAfterMs !== undefined) this.#patience = this.#sim.clock.after(leavesAfterMs, () => this.#clientLeaves())
    this.#admit()
  }

  /** The simulated time is over. */
  cutOff(): void {
    this.#end(this.#attempt === null ? 'waiting' : 'running')
  }

  /** What was written since the last time goes onto the bill. */
  charge(): void {
    const attempt = this.#attempt
    if (attempt === null) return
    const more = attempt.work.written - attempt.charged
    if (more <= 0) return
    attempt.charged = attempt.work.written
    attempt.lease.bill.generated(more)
    this.#sim.gap.serve(this.#keyNumber, 2 * more)
  }

  /** Past its limits it waits in the line of its own key. */
  #admit(): void {
    const { key, limits, class: ofClass, patienceMs } = this.arrival.stream
    if (limits === undefined) return this.#goToGate()
    const subject: Subject = { keyId: key, name: key, team: null, limits }
    const turn = this.#sim.ownLines.enter({
      holder: key,
      subject: () => subject,
      cost: { requests: 1, input: this.arrival.inputExpected, output: this.#outputExpected },
      class: ofClass,
      patienceMs,
      admitted: (reservation) => {
        this.#reservation = reservation
        this.#goToGate()
      },
      refused: () => this.#end('refused'),
      left: () => {},
    })
    if (this.#reservation === null) this.#leaveLine = () => turn.leave()
  }

  #goToGate(): void {
    this.#waits(true)
    const leaveGate = this.#sim.gate.ask(this.arrival.stream.key, () => this.#ask('newcomer'))
    if (this.#isOver || this.#attempt !== null) return
    const leaveDispatcher = this.#leaveLine
    this.#leaveLine = () => {
      if (!leaveGate()) leaveDispatcher()
    }
  }

  #ask(place: Place): void {
    const { stream, inputExpected } = this.arrival
    const turn = this.#sim.dispatcher.ask({
      route: this.#sim.route,
      excluded: noHosts,
      holder: { id: stream.key, name: stream.key, weight: 1 },
      class: stream.class,
      tokens: { input: inputExpected, output: this.#outputExpected },
      place,
      patienceMs: this.#patienceMs(),
      granted: (lease) => this.#granted(lease),
      refused: () => {
        this.#sim.gate.ended(stream.key)
        this.#end('refused')
      },
      giveBack: () => this.#giveBack(),
    })
    this.#leaveLine = () => {
      turn.leave()
      this.#sim.gate.ended(stream.key)
    }
  }

  /** What is left of it, over all turns in the line. */
  #patienceMs(): number {
    this.#askedAtMs ??= this.#sim.clock.now()
    return Math.max(0, this.#askedAtMs + this.arrival.stream.patienceMs - this.#sim.clock.now())
  }

  #granted(lease: Lease): void {
    this.#waits(false)
    const work = this.#sim.machine(lease.host).start({
      inputTokens: this.arrival.input,
      sharedTokens: this.arrival.shared,
      conversation: this.arrival.conversation,
      outputTokens: this.arrival.output,
      firstToken: () => this.#firstToken(),
      ended: () => this.#answered(),
    })
    this.#attempt = { lease, work, charged: 0 }
    this.#sim.running.add(this)
  }

  #firstToken(): void {
    if (this.#attempt === null) return
    this.#firstTokenAtMs = this.#sim.clock.now()
    this.#patience?.cancel()
    this.#sim.gap.serve(this.#keyNumber, toRead(this.#attempt.work))
  }

  #answered(): void {
    const attempt = this.#attempt
    if (attempt === null) return
    const { lease } = attempt
    const { host, grantedAtMs } = lease
    const now = this.#sim.clock.now()
    const firstTokenAtMs = this.#firstTokenAtMs ?? now
    const { output } = this.arrival
    this.#learn(output)
    lease.succeeded()
    host.health.attemptEnded({ kind: 'ok' })
    const speed = {
      firstTokenMs: firstTokenAtMs - grantedAtMs,
      timePerOutputTokenMs: output > 1 ? (now - firstTokenAtMs) / (output - 1) : null,
    }
    host.answered(speed, grantedAtMs)
    this.#end('done')
  }

  #clientLeaves(): void {
    const attempt = this.#attempt
    if (attempt === null) this.#leaveLine()
    else {
      attempt.lease.leave()
      this.#sim.machine(attempt.lease.host).stop(attempt.work)
    }
    this.#end('left')
  }

  /** As the relay: with half of its patience left, before its first token, and in the line again before the slot is free. */
  #giveBack(): boolean {
    const attempt = this.#attempt
    if (attempt === null || attempt.work.written > 0 || this.#timesGivenBack >= timesGivenBackMax) return false
    if (this.#patienceMs() * 2 <= this.arrival.stream.patienceMs) return false
    this.#timesGivenBack++
    this.#attempt = null
    this.#sim.running.delete(this)
    attempt.lease.bill.refund()
    this.#waits(true)
    this.#ask('given_back')
    this.#sim.machine(attempt.lease.host).stop(attempt.work)
    this.#readBefore += attempt.work.read
    attempt.lease.release()
    return true
  }

  #end(ending: Ending): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#waits(false)
    this.#patience?.cancel()
    this.charge()
    const attempt = this.#attempt
    const read = this.#readBefore + (attempt?.work.read ?? 0)
    const written = attempt?.work.written ?? 0
    const cut = ending === 'running' || ending === 'waiting'
    this.#sim.running.delete(this)
    if (!cut) this.#settle(attempt)
    const { arrival } = this
    this.#sim.ended(this, {
      arrival,
      ending,
      atMs: this.#sim.clock.now(),
      grantedAtMs: attempt?.lease.grantedAtMs ?? null,
      firstTokenAtMs: this.#firstTokenAtMs,
      read,
      written,
    })
    if (attempt === null || cut) return
    attempt.lease.release()
    this.#sim.gate.ended(arrival.stream.key)
  }

  #settle(attempt: Attempt | null): void {
    if (attempt === null) {
      this.#reservation?.settle(null)
      return
    }
    const { work, lease } = attempt
    const input = work.cachedTokens + Math.ceil(work.read)
    const used = { input, cachedInput: work.cachedTokens, output: Math.ceil(work.written - 1e-6), reasoning: 0 }
    lease.bill.correct(used)
    this.#reservation?.settle(used)
  }

  #waits(now: boolean): void {
    if (this.#isWaiting === now) return
    this.#isWaiting = now
    this.#sim.gap.waits(this.#keyNumber, now ? 1 : -1)
  }
}
