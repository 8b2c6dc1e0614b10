/** Faults that a double can be told to have: for all requests, for the next ones, or by a marker in one request. */

export interface FaultPlan {
  /** Nothing comes after the role frame: for good (true) or for that many milliseconds. */
  stallBeforeContent?: boolean | number
  /** Goes silent after this many chunks: for good, or for `stallMs`. */
  stallAfterTokens?: number
  stallMs?: number
  /** Cuts the connection in the middle of a transfer chunk after this many chunks. */
  cutAfterTokens?: number
  /** How connections are cut: with FIN (default) or RST. */
  cut?: 'fin' | 'reset'
  /** What comes in place of the cut: a proper end of the body, bytes that are no HTTP, or an error frame and a proper end. */
  cutAs?: 'truncation' | 'garbage' | 'error_frame'
  /** No slot comes free in time: in-band in streams, 429 otherwise. */
  busy?: boolean
  /** The body of a stream ends this long after its last frame. */
  lingerMs?: number
  /** The engine raises after this many chunks: in-band in streams, 500 otherwise. */
  errorAfterTokens?: number
  errorText?: string
  /** The inference time limit strikes after this many chunks. */
  timeoutAfterTokens?: number
  /** 500 with LMX's generic message. */
  internalError?: boolean
  /** 500 in plain text without a request id: an exception that nothing caught. */
  crash?: boolean
  /** The 429 of the rate limiter, whose `error` is a string. */
  rateLimited?: boolean
  /** The process dies: no byte of an answer. */
  emptyReply?: boolean
  /** The model is unloaded between the check and the start of the answer. */
  modelVanishes?: boolean
  tokensPerChunk?: number
  answerTokens?: number
  /** Frames carry raw UTF-8 and are cut inside a character, with this pause in milliseconds between the two parts. */
  splitMultibyteMs?: number
  /** Ordinary text that looks like an in-band error: LMX's very words but followed by more, or other words as the last chunk. */
  lookalike?: 'middle' | 'last'
  /** Every answer of the host, health included, waits this long: a blocked event loop. */
  delayAllMs?: number
  /** 503 on all but three paths: memory pressure. */
  shedding?: boolean
}

const kinds: Record<keyof FaultPlan, readonly string[]> = {
  stallBeforeContent: ['boolean', 'number'],
  stallAfterTokens: ['number'],
  stallMs: ['number'],
  cutAfterTokens: ['number'],
  cut: ['string'],
  cutAs: ['string'],
  busy: ['boolean'],
  lingerMs: ['number'],
  errorAfterTokens: ['number'],
  errorText: ['string'],
  timeoutAfterTokens: ['number'],
  internalError: ['boolean'],
  crash: ['boolean'],
  rateLimited: ['boolean'],
  emptyReply: ['boolean'],
  modelVanishes: ['boolean'],
  tokensPerChunk: ['number'],
  answerTokens: ['number'],
  splitMultibyteMs: ['number'],
  lookalike: ['string'],
  delayAllMs: ['number'],
  shedding: ['boolean'],
}

const markerStart = '[[fault:'
const markerEnd = ']]'

export const faultHeader = 'x-fake-fault'

/** The marker that asks for `plan` from inside a prompt, which also passes a proxy that drops unknown headers. */
export function faultMarker(plan: FaultPlan): string {
  return `${markerStart}${JSON.stringify(plan)}${markerEnd}`
}

export function withoutMarker(text: string): string {
  const start = text.indexOf(markerStart)
  if (start === -1) return text
  const end = text.indexOf(markerEnd, start)
  return end === -1 ? text : (text.slice(0, start) + text.slice(end + markerEnd.length)).trim()
}

/** Holds the faults in force. */
export class FaultBoard {
  #standing: FaultPlan
  #next: FaultPlan[] = []
  #draw: () => FaultPlan = () => ({})

  constructor(standing: FaultPlan = {}) {
    this.#standing = checked(standing)
  }

  get standing(): Readonly<FaultPlan> {
    return this.#standing
  }

  /** Replaces the faults of all requests from now on; `set({})` heals the host. */
  set(plan: FaultPlan): void {
    this.#standing = checked(plan)
  }

  /** Faults of the next `times` inference requests, in turn, on top of the standing ones. */
  next(plan: FaultPlan, times = 1): void {
    for (let i = 0; i < times; i += 1) this.#next.push(checked(plan))
  }

  /** Asks for the faults of each inference request from now on, on top of the standing ones. */
  drawFrom(draw: () => FaultPlan): void {
    this.#draw = draw
  }

  clear(): void {
    this.#standing = {}
    this.#next = []
    this.#draw = () => ({})
  }

  /** The plan of one inference request; throws on a fault that does not exist, so that a typing error cannot pass for health. */
  take(header: string | undefined, lastUserText: string): FaultPlan {
    const queued = this.#next.shift() ?? checked(this.#draw())
    const marker = markerIn(lastUserText)
    return { ...this.#standing, ...queued, ...parsed(header), ...parsed(marker) }
  }
}

function markerIn(text: string): string | undefined {
  const start = text.indexOf(markerStart)
  if (start === -1) return undefined
  const end = text.indexOf(markerEnd, start)
  return end === -1 ? undefined : text.slice(start + markerStart.length, end)
}

function parsed(json: string | undefined): FaultPlan {
  if (json === undefined) return {}
  const value: unknown = JSON.parse(json)
  if (typeof value !== 'object' || value === null) throw new Error(`a fault must be a JSON object, not ${json}`)
  return checked(value)
}

function checked(plan: FaultPlan): FaultPlan {
  for (const [name, value] of Object.entries(plan)) {
    const allowed = Object.hasOwn(kinds, name) ? kinds[name as keyof FaultPlan] : undefined
    if (allowed === undefined)
      throw new Error(`there is no fault named ${name}; known: ${Object.keys(kinds).join(', ')}`)
    if (value !== undefined && !allowed.includes(typeof value))
      throw new Error(`fault ${name} must be a ${allowed.join(' or ')}`)
  }
  return plan
}
