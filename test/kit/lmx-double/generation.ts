/** One answer of the engine: waits for a slot, paces its chunks by the cost model, and fails where it was told to. */
import type { Clock, Timer } from '../../../src/base/clock.ts'
import type { FaultPlan } from './faults.ts'
import type { CostModel } from './options.ts'
import type { SlotGate, SlotTicket } from './slots.ts'

export type Outcome =
  | { kind: 'complete' }
  /** `text` is what LMX's exception says; streams show it, whole answers hide it. */
  | { kind: 'busy' | 'failed' | 'timed_out' | 'gone'; text: string }
  | { kind: 'cut' }
  | { kind: 'cancelled' }

/** Where chunks go. */
export interface ChunkSink {
  chunk(text: string): void
  /** False while the client does not read; `writable` is then called once it does. */
  readonly full: boolean
  onWritable(callback: () => void): void
}

interface GenerationOptions {
  chunks: readonly string[]
  /** Drives the prefill time. */
  promptTokens: number
  bypass: boolean
  plan: FaultPlan
  sink: ChunkSink
  /** Runs when the slot was granted; a text is why the answer cannot start. */
  begin: () => string | null
}

/** What all answers of one host share. */
export interface EngineState {
  readonly clock: Clock
  readonly gate: SlotGate
  readonly cost: CostModel
  readonly inferenceTimeoutMs: number
  readonly random: () => number
  decoding: number
  /** When the last prompt that it was given is read. */
  readsUntilMs: number
}

export const busyText = 'Server is busy — all inference slots occupied. Try again shortly.'
const defaultFailure = 'mlx-lm stream error: stub exploded'
/** After a pause of the process longer than this many steps, the pace starts anew instead of catching up in a burst. */
const catchUpStepsMax = 10

export class Generation {
  readonly done: Promise<Outcome>
  readonly #state: EngineState
  readonly #options: GenerationOptions
  readonly #chunks: readonly string[]
  readonly #chunkTokens: number
  #resolve: (outcome: Outcome) => void = () => {}
  #ticket: SlotTicket | undefined
  #timer: Timer | undefined
  #limit: Timer | undefined
  #index = 0
  #dueMs = 0
  #stalled = false
  #decoding = false
  #over = false

  constructor(state: EngineState, options: GenerationOptions) {
    this.#state = state
    this.#options = options
    this.#chunkTokens = Math.max(1, options.plan.tokensPerChunk ?? state.cost.tokensPerChunk)
    this.#chunks = grouped(options.chunks, this.#chunkTokens)
    this.done = new Promise((resolve) => {
      this.#resolve = resolve
    })
    const ticket = state.gate.enter(options.bypass, {
      granted: () => this.#granted(),
      timedOut: () => this.#end({ kind: 'busy', text: busyText }),
    })
    // A slot granted at once may have been used up before the ticket is known here.
    if (this.#over) ticket.release()
    else this.#ticket = ticket
  }

  /** The client left: nothing more is said and the slot is free at once. */
  cancel(): void {
    this.#end({ kind: 'cancelled' })
  }

  #granted(): void {
    const { begin, plan, promptTokens } = this.#options
    if (plan.busy === true) return this.#end({ kind: 'busy', text: busyText })
    const problem = begin()
    if (problem !== null) return this.#end({ kind: 'gone', text: problem })
    const { clock, cost, inferenceTimeoutMs, readsUntilMs } = this.#state
    this.#limit = clock.after(inferenceTimeoutMs, () => this.#timedOut())
    if (plan.stallBeforeContent === true) return
    const prefillMs = cost.prefillTokensPerSecond > 0 ? (promptTokens / cost.prefillTokensPerSecond) * 1000 : 0
    const stallMs = plan.stallBeforeContent === false ? 0 : (plan.stallBeforeContent ?? 0)
    const readsFromMs = cost.readsInTurn ? Math.max(clock.now(), readsUntilMs) : clock.now()
    const dueMs = readsFromMs + this.#varied(cost.ttftMs + prefillMs)
    this.#state.readsUntilMs = dueMs
    this.#waitUntil(dueMs + stallMs)
  }

  #waitUntil(dueMs: number): void {
    this.#dueMs = dueMs
    const delayMs = dueMs - this.#state.clock.now()
    if (delayMs <= 0) this.#run()
    else this.#timer = this.#state.clock.after(delayMs, this.#run)
  }

  /** Emits what is due. */
  readonly #run = (): void => {
    if (this.#over) return
    if (!this.#decoding) {
      this.#decoding = true
      this.#state.decoding += 1
    }
    const { sink } = this.#options
    const nowMs = this.#state.clock.now()
    while (!this.#over) {
      if (sink.full) return sink.onWritable(this.#run)
      if (this.#faultStrikes()) return
      const text = this.#chunks[this.#index]
      if (text === undefined) return this.#end({ kind: 'complete' })
      this.#index += 1
      sink.chunk(text)
      const stepMs = this.#stepMs()
      if (stepMs > 0) {
        const dueMs = this.#dueMs + stepMs
        this.#dueMs = dueMs < nowMs - catchUpStepsMax * stepMs ? nowMs : dueMs
        if (this.#dueMs > nowMs) return this.#waitUntil(this.#dueMs)
      }
    }
  }

  #stepMs(): number {
    const { cost, decoding } = this.#state
    if (cost.decodeTokensPerSecond <= 0) return 0
    const aloneMs = (1000 / cost.decodeTokensPerSecond) * this.#chunkTokens
    return this.#varied(aloneMs * (1 + cost.batchSlowdown * (decoding - 1)))
  }

  #varied(ms: number): number {
    const { cost, random } = this.#state
    return cost.jitter === 0 ? ms : ms * (1 + cost.jitter * (2 * random() - 1))
  }

  #faultStrikes(): boolean {
    const { plan } = this.#options
    const at = this.#index
    if (plan.stallAfterTokens === at && !this.#stalled) {
      this.#stalled = true
      if (plan.stallMs !== undefined) this.#waitUntil(this.#state.clock.now() + plan.stallMs)
      return true
    }
    if (plan.cutAfterTokens === at) this.#end({ kind: 'cut' })
    else if (plan.errorAfterTokens === at) {
      this.#end({ kind: 'failed', text: `Stream inference failed: ${plan.errorText ?? defaultFailure}` })
    } else if (plan.timeoutAfterTokens === at) this.#timedOut()
    return this.#over
  }

  #timedOut(): void {
    const seconds = Math.round(this.#state.inferenceTimeoutMs / 1000)
    this.#end({ kind: 'timed_out', text: `Stream inference timed out after ${seconds}s` })
  }

  #end(outcome: Outcome): void {
    if (this.#over) return
    this.#over = true
    this.#timer?.cancel()
    this.#limit?.cancel()
    if (this.#decoding) this.#state.decoding -= 1
    this.#ticket?.release()
    this.#resolve(outcome)
  }
}

function grouped(chunks: readonly string[], size: number): readonly string[] {
  if (size <= 1) return chunks
  const groups: string[] = []
  for (let i = 0; i < chunks.length; i += size) groups.push(chunks.slice(i, i + size).join(''))
  return groups
}
