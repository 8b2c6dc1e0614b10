/** What a host's refusal means: to the client the host's own sentence where it has one, in the gateway's codes; to us its cause. */
import { type ErrorCode, GatewayError } from '../base/errors.ts'
import { isObject, parseJson, property } from '../wire/json-value.ts'
import { disclosesHost } from './disclosure.ts'
import { Failure, type FailureCause } from './failure.ts'

export interface HostAnswer {
  readonly status: number
  /** Lower case, without parameters. */
  readonly mediaType: string
  readonly body: string
  /** `retry-after` in whole seconds, where the host sent it. */
  readonly retryAfter: string | undefined
}

/** So much of what is shown to no client tells which program wrote it. */
const hostSaidCharsMax = 200
/** A host's sentence is shown up to this length. */
const messageCharsMax = 1_000
/** What stands behind its bound is looked at as well, since an address may lie across it. */
const sentenceCharsMax = messageCharsMax + 300

/** The same, read once. */
interface ReadAnswer {
  readonly status: number
  /** The beginning of a web page in place of an answer, else null. */
  readonly page: string | null
  readonly retryAfter: string | undefined
  /** Undefined where the body is no JSON. */
  readonly json: unknown
  /** The host's sentence, a little beyond the bound up to which it is shown; null where it says none. */
  readonly sentence: string | null
}

export function failureFromHost({ status, mediaType, body, retryAfter }: HostAnswer): Failure {
  const json = parseJson(body)
  const page = mediaType === 'text/html' ? body.slice(0, hostSaidCharsMax) : null
  const sentence = page === null ? hostSentence(json) : null
  // What a host says of the request is for its client to read.
  return failureFrom({ status, page, retryAfter, json, sentence }, status < 400 || status >= 500)
}

/** The same for an error object that came as an event of a stream, or under status 200. */
export function failureFromHostObject(error: unknown): Failure {
  const json = { error }
  const answer = { status: statusOf(error), page: null, retryAfter: undefined, json, sentence: hostSentence(json) }
  const { cause, error: told, hostSaid } = failureFrom(answer, true)
  return new Failure(toldCauses.get(cause) ?? cause, told, hostSaid)
}

/** What was told inside an answer that had begun may have been executed. */
const toldCauses: ReadonlyMap<FailureCause, FailureCause> = new Map<FailureCause, FailureCause>([
  ['host_error', 'told_error'],
  ['busy', 'told_busy'],
])

/** The status that the error would have had as an answer of its own. */
function statusOf(error: unknown): number {
  const code = property(error, 'code')
  if (typeof code === 'number' && code >= 400 && code <= 599) return code
  return statusByWord.get(code) ?? statusByWord.get(property(error, 'type')) ?? 500
}

/** Codes and types of OpenAI's and Anthropic's envelopes. */
const statusByWord: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  ['context_length_exceeded', 400],
  ['model_not_found', 404],
  ['invalid_request_error', 400],
  ['not_found_error', 404],
  ['authentication_error', 401],
  ['permission_error', 403],
  ['request_too_large', 413],
  ['rate_limit_error', 429],
  ['rate_limit_exceeded', 429],
  ['overloaded_error', 503],
  ['overloaded', 503],
])

/** The same for what LMX writes into the text of an answer (wire/in-band-error.ts). */
export function failureFromText(message: string): Failure {
  if (message.endsWith('is not loaded"')) {
    const error = new GatewayError('model_not_found', message.slice(0, messageCharsMax), { param: 'model' })
    return new Failure('model_missing', error)
  }
  const discloses = disclosesHost(message.slice(0, sentenceCharsMax))
  const shown = discloses ? 'The host told an error in its answer.' : message.slice(0, messageCharsMax)
  const hostSaid = discloses ? message.slice(0, hostSaidCharsMax) : null
  if (busySentence.test(message)) return new Failure('busy', new GatewayError('upstream_busy', shown), hostSaid)
  if (message.startsWith('Stream inference timed out')) {
    return new Failure('timed_out', new GatewayError('upstream_timeout', shown), hostSaid)
  }
  return new Failure('told_error', new GatewayError('upstream_bad_response', shown), hostSaid)
}

/** LMX's sentence; `/v1/messages` says it under status 500. */
const busySentence = /^Server is busy\b/

/** `veiled`: what says where the host runs or by what is not shown. A missing model is named as the client named it. */
function failureFrom(answer: ReadAnswer, veiled: boolean): Failure {
  const { status, json } = answer
  const code = codeFor(answer)
  const cause = causeFor(answer, code)
  if (code === 'upstream_auth_failed') {
    // The host's words could repeat the key it was sent.
    return new Failure(cause, new GatewayError(code, "The host refused the gateway's key for it."))
  }
  const { shown, hidden } = sentencesOf(answer, (veiled || code === 'upstream_busy') && code !== 'model_not_found')
  const param = hostParam(json)
  const isBusy = code === 'upstream_busy' || code === 'model_loading'
  const detail = {
    ...(isBusy ? { retryAfterMs: retryAfterMs(answer.retryAfter) } : {}),
    param: veiled && param !== undefined && disclosesHost(param) ? undefined : param,
  }
  return new Failure(cause, new GatewayError(code, shown ?? `The host answered with status ${status}.`, detail), hidden)
}

/** What of the host's words is for the client, and what of the others is for the log. */
function sentencesOf({ page, sentence }: ReadAnswer, veiled: boolean): { shown: string | null; hidden: string | null } {
  if (sentence === null) return { shown: null, hidden: page }
  if (veiled && disclosesHost(sentence)) return { shown: null, hidden: sentence.slice(0, hostSaidCharsMax) }
  return { shown: sentence.slice(0, messageCharsMax), hidden: null }
}

const causeByCode = new Map<ErrorCode, FailureCause>([
  ['upstream_auth_failed', 'key_refused'],
  ['model_not_found', 'model_missing'],
  ['model_loading', 'busy'],
  ['no_upstream_available', 'not_offered'],
])

function causeFor(answer: ReadAnswer, code: ErrorCode): FailureCause {
  const { status } = answer
  // A key that may do other things is not at fault everywhere.
  if (status === 403) return 'not_allowed'
  const known = causeByCode.get(code)
  if (known !== undefined) return known
  if (code === 'upstream_busy') return saysBusy(answer) ? 'busy' : 'bad_gateway'
  if (status === 405 || status === 501) return 'not_offered'
  if (status === 502 || status === 504) return 'bad_gateway'
  if (status >= 500) return 'host_error'
  return status < 400 ? 'bad_answer' : 'rejected'
}

/** What a host without room says. A 503 that says nothing of it, nor when to come back, is of something in front of the host. */
const busyWords =
  /\b(?:busy|overload\w*|capacity|too many|limits?|slots?|queue\w*|pressure|memory|starting|warming|try again|room)\b/i

function saysBusy({ status, retryAfter, page, json, sentence }: ReadAnswer): boolean {
  if (status !== 503 || retryAfter !== undefined) return true
  if (page !== null) return false
  const error = property(json, 'error')
  const words = [sentence, property(error, 'code'), property(error, 'type')]
  return words.some((said) => typeof said === 'string' && busyWords.test(said))
}

/** What is shorter than this protects nothing, and stands in ordinary sentences. */
const keyCharsMin = 8
const redaction = '[redacted]'

/** The host's words, less the key it was sent: a host may repeat a header that it did not like. */
export function withoutKey(error: GatewayError, key: string | undefined): GatewayError {
  if (key === undefined || key.length < keyCharsMin) return error
  const { param } = error.detail
  const message = redacted(error.message, key)
  const redactedParam = param === undefined ? undefined : redacted(param, key)
  if (message === error.message && redactedParam === param) return error
  return new GatewayError(error.code, message, { ...error.detail, param: redactedParam })
}

/** Also for a log line. */
export function textWithoutKey(text: string, key: string | undefined): string {
  return key === undefined || key.length < keyCharsMin ? text : redacted(text, key)
}

/** Where the bound of a sentence went through the key, the first part of it stands at the end. */
function redacted(text: string, key: string): string {
  const whole = text.replaceAll(key, redaction)
  for (let chars = key.length - 1; chars >= keyCharsMin; chars--) {
    if (whole.endsWith(key.slice(0, chars))) return whole.slice(0, -chars) + redaction
  }
  return whole
}

/** A status that is not here is the host's fault from 500 on and below 400, else the request's. */
const codeByStatus = new Map<number, ErrorCode>([
  [401, 'upstream_auth_failed'],
  [403, 'upstream_auth_failed'],
  [413, 'request_too_large'],
  [415, 'unsupported_media_type'],
  [405, 'not_found'],
  [429, 'upstream_busy'],
  [501, 'not_found'],
  [507, 'upstream_busy'],
])

function codeFor(answer: ReadAnswer): ErrorCode {
  const { status } = answer
  const said = answer.sentence ?? ''
  if (status === 503) return codeForUnavailable(answer, said)
  const known = codeByStatus.get(status)
  if (known !== undefined) return known
  if (status >= 500 && busySentence.test(said)) return 'upstream_busy'
  const isRequestFault = status >= 400 && status < 500 && answer.page === null
  return isRequestFault ? codeForRequestFault(answer, said) : 'upstream_bad_response'
}

/** A model that is being loaded, a part of the host that is not there (LMX's `embedding_unavailable`), or no room. */
function codeForUnavailable({ json, retryAfter }: ReadAnswer, said: string): ErrorCode {
  if (/\bloading\b/i.test(said)) return 'model_loading'
  const code = property(property(json, 'error'), 'code')
  const isPart = typeof code === 'string' && /^(?!service_).+_unavailable$/.test(code)
  return isPart && retryAfter === undefined ? 'no_upstream_available' : 'upstream_busy'
}

function codeForRequestFault({ status, json }: ReadAnswer, said: string): ErrorCode {
  const code = property(property(json, 'error'), 'code')
  if (code === 'context_length_exceeded' || /context (?:length|window|size)/i.test(said))
    return 'context_length_exceeded'
  if (status !== 404) return 'invalid_request'
  return code === 'model_not_found' || /model/i.test(said) ? 'model_not_found' : 'not_found'
}

/** The shapes seen in the field: OpenAI's and Anthropic's envelope, a bare string, FastAPI's detail as text or as a list. */
function hostSentence(body: unknown): string | null {
  const error = property(body, 'error')
  const detail = property(body, 'detail')
  const said =
    property(error, 'message') ?? (typeof error === 'string' ? error : undefined) ?? property(body, 'message')
  const sentence = said ?? (Array.isArray(detail) ? detail.map(validationSentence).join('; ') : detail)
  return typeof sentence === 'string' && sentence !== '' ? sentence.slice(0, sentenceCharsMax) : null
}

function validationSentence(issue: unknown): string {
  const place = property(issue, 'loc')
  const message = property(issue, 'msg')
  const where = Array.isArray(place) ? place.filter((part) => part !== 'body').join('.') : ''
  return where === '' ? String(message) : `${where}: ${String(message)}`
}

function hostParam(body: unknown): string | undefined {
  const param = property(property(body, 'error'), 'param')
  if (typeof param === 'string') return param
  const detail = property(body, 'detail')
  const place = Array.isArray(detail) && isObject(detail[0]) ? detail[0]['loc'] : undefined
  return Array.isArray(place) && typeof place[1] === 'string' ? place[1] : undefined
}

function retryAfterMs(header: string | undefined): number | undefined {
  const seconds = Number(header)
  return header !== undefined && Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined
}
