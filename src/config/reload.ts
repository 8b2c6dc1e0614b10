/**
 * Takes a changed configuration while the gateway runs: read and checked as a whole, as at a start. One with any fault changes
 * nothing, and each of its faults is told.
 */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { LoadedConfig } from './load.ts'
import { formatProblem } from './problem.ts'
import type { ResolvedConfig } from './schema.ts'

/** What asked for it. */
export type ReloadCause = 'signal' | 'file' | 'admin-api'

export interface Taken {
  /** Settings that hold from now on, and those that wait for a start: by their place, without values. */
  readonly changed: readonly string[]
  readonly waiting: readonly string[]
  readonly hostsJoined: readonly string[]
  readonly hostsLeft: readonly string[]
  readonly hostsChanged: readonly string[]
}

export type ReloadResult =
  | ({ readonly kind: 'taken'; readonly file: string | null; readonly notes: readonly string[] } & Taken)
  | { readonly kind: 'refused'; readonly problems: readonly string[] }

export interface ReloadState {
  /** Of the last one that was tried; a start counts. */
  readonly isSuccess: boolean
  /** Wall-clock milliseconds of the last one that was taken. */
  readonly takenAtMs: number
}

export interface ReloaderParts {
  readonly clock: Pick<Clock, 'wallMs'>
  readonly log: Log
  /** As at the start: with the same flags and environment. */
  readonly load: () => Promise<LoadedConfig>
  /** The file of the start, or null where there was none. */
  readonly file: string | null
  /** Throws where it cannot be taken, in words for the operator; nothing has changed then. */
  readonly apply: (config: ResolvedConfig) => Taken
}

const taken = 'configuration taken'
export const refusedMessage = 'configuration not taken: the one before holds'

export class Reloader {
  readonly #parts: ReloaderParts
  #file: string | null
  #state: ReloadState
  /** The one that is under way. */
  #running: Promise<ReloadResult> | null = null
  /** The one that begins when that is over: what has changed since it began is seen by it. */
  #next: Promise<ReloadResult> | null = null

  constructor(parts: ReloaderParts) {
    this.#parts = parts
    this.#file = parts.file
    this.#state = { isSuccess: true, takenAtMs: parts.clock.wallMs() }
  }

  get state(): ReloadState {
    return this.#state
  }

  /** Never rejects. One at a time; of those that ask meanwhile all get the next. */
  reload(cause: ReloadCause): Promise<ReloadResult> {
    if (this.#running === null) return this.#begin(cause)
    this.#next ??= this.#running.then(() => {
      this.#next = null
      return this.#begin(cause)
    })
    return this.#next
  }

  #begin(cause: ReloadCause): Promise<ReloadResult> {
    const running = this.#once(cause).finally(() => {
      if (this.#running === running) this.#running = null
    })
    this.#running = running
    return running
  }

  async #once(cause: ReloadCause): Promise<ReloadResult> {
    const result = await this.#tried()
    if (result.kind === 'taken') this.#tellTaken(cause, result)
    else this.#tellRefused(cause, result.problems)
    return result
  }

  async #tried(): Promise<ReloadResult> {
    try {
      const loaded = await this.#parts.load()
      const problems = loaded.kind === 'bad' ? loaded.problems.map(formatProblem) : this.#lost(loaded)
      if (loaded.kind === 'bad' || problems.length > 0) return { kind: 'refused', problems }
      const change = this.#parts.apply(loaded.config)
      this.#file = loaded.file
      return { kind: 'taken', file: loaded.file, notes: loaded.notes, ...change }
    } catch (error) {
      return { kind: 'refused', problems: [error instanceof Error ? error.message : String(error)] }
    }
  }

  /** A file that is gone or has nothing in it is one that is being written, far more often than a wish for all defaults. */
  #lost({ file, isBlank }: Extract<LoadedConfig, { kind: 'good' }>): string[] {
    if (this.#file === null) return []
    if (file === null) {
      return [`${this.#file}: the file is gone; put it back, or restart to run without one`]
    }
    return isBlank ? [`${file}: there is nothing in the file; to go back to the defaults, restart`] : []
  }

  #tellTaken(cause: ReloadCause, result: Extract<ReloadResult, { kind: 'taken' }>): void {
    const { clock, log } = this.#parts
    this.#state = { isSuccess: true, takenAtMs: clock.wallMs() }
    const { file, changed, waiting, hostsJoined, hostsLeft, hostsChanged } = result
    if (changed.length + waiting.length === 0)
      log('info', 'configuration read again: nothing has changed', { cause, file })
    else {
      log('info', taken, {
        cause,
        file,
        changed: listed(changed),
        hostsJoined: listed(hostsJoined),
        hostsLeft: listed(hostsLeft),
        hostsChanged: listed(hostsChanged),
      })
    }
    for (const note of result.notes) log('info', note)
    if (waiting.length === 0) return
    log('warn', 'changed settings wait for a restart of the gateway', { settings: listed(waiting) })
  }

  #tellRefused(cause: ReloadCause, problems: readonly string[]): void {
    this.#state = { ...this.#state, isSuccess: false }
    for (const problem of problems) this.#parts.log('error', refusedMessage, { cause, problem })
  }
}

/** Undefined where there are none, so that the line does not have it. */
function listed(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : names.join(', ')
}
