/** One request of a simulation, from its arrival to its end: what the relay does with a real one. */
import type { Estimates } from '../../src/access/estimates.ts'
import type { Subject } from '../../src/access/limiter.ts'
import type { OwnLines } from '../../src/access/own-lines.ts'
import type { Reservation } from '../../src/access/reservation.ts'
import type { Clock, Timer } from '../../src/base/clock.ts'
import { GatewayError } from '../../src/base/errors.ts'
import type { Host } from '../../src/hosts/host.ts'
import type { RetryBudget } from '../../src/hosts/retry-budget.ts'
import type { Route } from '../../src/hosts/route.ts'
import type { Dispatcher } from '../../src/queue/dispatcher.ts'
import type { Lease } from '../../src/queue/lease.ts'
import type { Place } from '../../src/queue/slot-request.ts'
import { Failover } from '../../src/relay/failover.ts'
import { Failure, type FailureCause } from '../../src/relay/failure.ts'
import type { Ended, Ending } from './ended.ts'
import { type FluidHost, toRead } from './fluid-host.ts'
import type { Gate } from './key-gate.ts'
import type { ServiceGap } from './service-gap.ts'
import { SimAttempt } from './sim-attempt.ts'
import { promptOf } from './sim-prompt.ts'
import type { Arrival } from './workload.ts'

/** Where a request comes to. */
export interface SimGateway {
  readonly clock: Clock
  readonly estimates: Estimates
  readonly ownLines: OwnLines
  readonly gate: Gate
  readonly dispatcher: Dispatcher
  readonly retryBudget: RetryBudget
  readonly gap: ServiceGap
  readonly blockTokens: number
  /** Those that wait or run. */
  readonly requestsLive: number
  /** Those at a machine. */
  readonly running: Set<SimRequest>
  routeOf(arrival: Arrival): Route
  machine(host: Host): FluidHost
  connectFailed(host: Host): void
  keyNumber(key: string): number
  ended(request: SimRequest, ended: Ended): void
}

const emptyBody = Buffer.from('{}')
const timesGivenBackMax = 3

export class SimRequest {
  readonly arrival: Arrival
  readonly #sim: SimGateway
  readonly #route: Route
  readonly #keyNumber: number
  readonly #learn: (output: number) => void
  readonly #outputExpected: number
  readonly #failover: Failover
  #reservation: Reservation | null = null
  #leaveLine: () => void = () => {}
  #isWaiting = false
  #attempt: SimAttempt | null = null
  #firstTokenAtMs: number | null = null
  #readBefore = 0
  #timesGivenBack = 0
  #askedAtMs: number | null = null
  #patience: Timer | null = null
  #isOver = false

  constructor(sim: SimGateway, arrival: Arrival) {
    this.#sim = sim
    this.arrival = arrival
    this.#route = sim.routeOf(arrival)
    this.#keyNumber = sim.keyNumber(arrival.stream.key)
    this.#failover = new Failover(sim.retryBudget)
    const { expected, learn } = sim.estimates.expect({
      who: arrival.stream.key,
      model: this.#route.model,
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
    const more = this.#attempt?.charge() ?? 0
    if (more > 0) this.#sim.gap.serve(this.#keyNumber, 2 * more)
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
    this.#sim.retryBudget.deposit()
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
      route: this.#route,
      excluded: new Set(this.#failover.excluded),
      holder: { id: stream.key, name: stream.key, weight: 1 },
      class: stream.class,
      tokens: { input: inputExpected, output: this.#outputExpected },
      prompt: promptOf(this.arrival, this.#sim.blockTokens),
      place,
      patienceMs: this.#patienceMs(),
      granted: (lease) => this.#granted(lease),
      refused: () => {
        this.#sim.gate.ended(stream.key)
        this.#end(place === 'sent_back' ? 'lost' : 'refused')
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
    this.#start(lease)
  }

  #start(lease: Lease): void {
    const { clock } = this.#sim
    const { input, blocks = [], answerBlocks, output } = this.arrival
    const machine = this.#sim.machine(lease.host)
    const job = {
      inputTokens: input,
      blocks,
      ...(answerBlocks === undefined ? {} : { answerBlocks }),
      outputTokens: output,
      model: lease.model,
      firstToken: () => this.#firstToken(),
      ended: () => this.#answered(),
      lost: () => this.#failed('connection_lost'),
    }
    const attempt = new SimAttempt(lease, machine, job, clock.now())
    this.#attempt = attempt
    this.#sim.running.add(this)
    if (!machine.isDown) return
    attempt.stop()
    clock.afterTurn(() => {
      if (this.#attempt === attempt) this.#failed('never_connected')
    })
  }

  #firstToken(): void {
    const attempt = this.#attempt
    if (attempt === null) return
    attempt.firstToken(this.#sim.clock.now())
    this.#firstTokenAtMs = attempt.firstTokenAtMs
    this.#patience?.cancel()
    this.#sim.gap.serve(this.#keyNumber, toRead(attempt.work))
  }

  #answered(): void {
    const attempt = this.#attempt
    if (attempt === null) return
    this.#learn(this.arrival.output)
    attempt.succeeded(this.#sim.clock.now())
    this.#end('done')
  }

  /** As the relay: what follows is for the rule of failing over to say. */
  #failed(cause: FailureCause): void {
    const attempt = this.#attempt
    if (attempt === null) return
    const { lease, sentAtMs } = attempt
    const { host } = lease
    lease.failed(cause === 'never_connected' ? 'not_begun' : 'lost')
    if (cause === 'never_connected') this.#sim.connectFailed(host)
    const failure = new Failure(cause, new GatewayError('upstream_disconnected', 'The machine has crashed.'))
    const begun = attempt.firstTokenAtMs !== null
    const next = this.#failover.next(
      host,
      {
        failure,
        answered: begun,
        reusedSocket: cause === 'connection_lost',
        code: null,
        sinceSentMs: cause === 'never_connected' ? null : this.#sim.clock.now() - sentAtMs,
      },
      {
        contentSent: begun,
        repeatable: true,
        requestsLive: this.#sim.requestsLive,
        elsewhere: () => this.#route.candidates(this.#failover.excluded).length > 0,
      },
    )
    if (next !== 'fresh_connection') host.health.attemptEnded(failure.verdict)
    if (next === 'none') return this.#end('lost')
    this.#drop(attempt)
    if (next === 'fresh_connection') return this.#start(lease)
    this.#waits(true)
    this.#ask(this.#failover.keepsPlace ? 'sent_back' : 'last')
    lease.release()
  }

  /** Nothing came of it, and another follows. */
  #drop(attempt: SimAttempt): void {
    this.#attempt = null
    this.#sim.running.delete(this)
    this.#readBefore += attempt.work.read
    attempt.lease.bill.refund()
  }

  #clientLeaves(): void {
    const attempt = this.#attempt
    if (attempt === null) this.#leaveLine()
    else {
      attempt.lease.leave()
      attempt.stop()
    }
    this.#end('left')
  }

  /** As the relay: with half of its patience left, before its first token, and in the line again before the slot is free. */
  #giveBack(): boolean {
    const attempt = this.#attempt
    if (attempt === null || attempt.work.written > 0 || this.#timesGivenBack >= timesGivenBackMax) return false
    if (this.#patienceMs() * 2 <= this.arrival.stream.patienceMs) return false
    this.#timesGivenBack++
    this.#failover.gaveBack()
    attempt.stop()
    this.#drop(attempt)
    this.#waits(true)
    this.#ask('given_back')
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
      host: attempt?.lease.host.name ?? null,
      read: this.#readBefore + (attempt?.work.read ?? 0),
      cached: attempt?.work.cachedTokens ?? 0,
      written: attempt?.work.written ?? 0,
    })
    if (attempt === null || cut) return
    attempt.lease.release()
    this.#sim.gate.ended(arrival.stream.key)
  }

  #settle(attempt: SimAttempt | null): void {
    if (attempt === null) {
      this.#reservation?.settle(null)
      return
    }
    attempt.lease.bill.correct(attempt.used)
    this.#reservation?.settle(attempt.used)
  }

  #waits(now: boolean): void {
    if (this.#isWaiting === now) return
    this.#isWaiting = now
    this.#sim.gap.waits(this.#keyNumber, now ? 1 : -1)
  }
}
