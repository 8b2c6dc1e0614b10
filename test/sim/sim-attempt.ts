/** One attempt of a simulated request at a machine: what it is charged, and what it tells of the speed of its host. */
import type { Lease } from '../../src/queue/lease.ts'
import type { FluidHost, Job, Work } from './fluid-host.ts'

export class SimAttempt {
  readonly lease: Lease
  readonly machine: FluidHost
  readonly work: Work
  readonly sentAtMs: number
  /** Its host had to load the model first. */
  readonly #loads: boolean
  firstTokenAtMs: number | null = null
  /** Of what was written, how much is on the bill. */
  #charged = 0

  constructor(lease: Lease, machine: FluidHost, job: Job, nowMs: number) {
    this.lease = lease
    this.machine = machine
    this.sentAtMs = nowMs
    this.#loads = lease.host.mustLoad(lease.model)
    this.work = machine.start(job)
  }

  /** What was written since the last time goes onto the bill; how much that was. */
  charge(): number {
    const more = this.work.written - this.#charged
    if (more <= 0) return 0
    this.#charged = this.work.written
    this.lease.bill.generated(more)
    return more
  }

  firstToken(nowMs: number): void {
    this.firstTokenAtMs = nowMs
    this.lease.firstToken()
  }

  /** It went well, as its host is told. */
  succeeded(nowMs: number): void {
    const { lease, work } = this
    const { host, grantedAtMs, assignment } = lease
    const { outputTokens } = work.job
    const firstTokenAtMs = this.firstTokenAtMs ?? nowMs
    lease.succeeded()
    host.health.attemptEnded({ kind: 'ok' })
    const speed = {
      firstTokenMs: this.#loads ? null : firstTokenAtMs - grantedAtMs,
      timePerOutputTokenMs: outputTokens > 1 ? (nowMs - firstTokenAtMs) / (outputTokens - 1) : null,
    }
    host.answered(speed, grantedAtMs)
    assignment.answered({ ...speed, wholeMs: null, tokens: this.used, outputTokens })
  }

  /** Tokens of its prompt and answer so far. */
  get used(): { input: number; cachedInput: number; output: number; reasoning: number } {
    const { cachedTokens, read, written } = this.work
    return {
      input: cachedTokens + Math.ceil(read),
      cachedInput: cachedTokens,
      output: Math.ceil(written - 1e-6),
      reasoning: 0,
    }
  }

  stop(): void {
    this.machine.stop(this.work)
  }
}
