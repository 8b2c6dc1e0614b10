/** One request on its way through a double, and the checks that all inference routes share. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  detailError,
  internalError,
  modelNotFound,
  openAiError,
  plainServerError,
  rateLimited,
  unauthorized,
} from './errors.ts'
import type { FaultPlan } from './faults.ts'
import { faultHeader } from './faults.ts'
import type { DoubleHost } from './host.ts'
import type { JournalEntry } from './journal.ts'
import type { JsonObject } from './prompt.ts'
import { isObject } from './prompt.ts'
import type { ReplyContext } from './reply.ts'
import { closeSocket } from './reply.ts'
import type { SchemaName } from './validation.ts'
import { parseJsonBody, problemsOf } from './validation.ts'

export interface Call {
  readonly host: DoubleHost
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly context: ReplyContext
  readonly entry: JournalEntry
  readonly path: string
  readonly query: URLSearchParams
  readonly body: Buffer
}

export type Handler = (call: Call) => void | Promise<void>

export interface Admitted {
  body: JsonObject
  plan: FaultPlan
}

export function header(call: Call, name: string): string | undefined {
  const value = call.request.headers[name]
  return Array.isArray(value) ? value[0] : value
}

/** FastAPI's order: JSON, key, validation, then the handler, where the faults are. Null when an answer went out. */
export function admitJson(
  call: Call,
  schema: SchemaName | null,
  userText: (body: JsonObject) => string,
): Admitted | null {
  const parsed = parseJsonBody(call.body, header(call, 'content-type'))
  if (!parsed.ok) return refuse(() => detailError(call.context, 422, parsed.problems))
  call.entry.json = parsed.value
  // LMX leaves its audio routes open.
  if (schema !== 'speech' && !keyFits(call)) return refuse(() => unauthorized(call.context))
  const problems = schema === null ? [] : problemsOf(parsed.value, schema)
  if (problems.length > 0) return refuse(() => detailError(call.context, 422, problems))
  const body = isObject(parsed.value) ? parsed.value : {}
  const plan = call.host.faults.take(header(call, faultHeader), userText(body))
  return refusedByFault(call, plan) ? null : { body, plan }
}

export function keyFits(call: Call): boolean {
  const { requireKey, requireAdminKey } = call.host.options
  if (requireKey === undefined) return true
  const bearer = /^Bearer (.+)$/.exec(header(call, 'authorization') ?? '')?.[1]
  const given = [bearer ?? header(call, 'x-api-key'), header(call, 'x-admin-key')]
  return given[0] === requireKey || (requireAdminKey !== undefined && given.includes(requireAdminKey))
}

export function refusedByFault(call: Call, plan: FaultPlan): boolean {
  const { context, entry, host } = call
  if (plan.emptyReply === true) {
    host.journal.ended(entry, 'fault')
    if (call.response.socket !== null) closeSocket(call.response.socket, plan.cut ?? 'fin')
    return true
  }
  let answer: ((context: ReplyContext) => void) | undefined
  if (plan.crash === true) answer = plainServerError
  else if (plan.rateLimited === true) answer = rateLimited
  else if (plan.internalError === true) answer = internalError
  if (answer === undefined) return false
  host.journal.ended(entry, 'fault')
  answer(context)
  return true
}

/** The model a request will get; null after the 404 went out. */
export function resolveModel(call: Call, name: unknown): string | null {
  const asked = typeof name === 'string' ? name : ''
  return call.host.models.resolve(asked) ?? refuse(() => modelNotFound(call.context, asked))
}

/** Whether the request skips every limit; null after the 400 for an unknown lane went out. */
export function bypassOf(call: Call): boolean | null {
  const lane = (header(call, 'x-serving-lane') ?? '').trim().toLowerCase()
  if (lane === 'interactive') return true
  if (lane === 'throughput') return false
  if (lane === '') return (header(call, 'x-priority') ?? '').trim().toLowerCase() === 'high'
  const message = "Invalid value for 'x-serving-lane'. Expected one of: interactive, throughput."
  const error = { message, type: 'invalid_request_error', param: 'x-serving-lane', code: 'invalid_header' }
  return refuse(() => openAiError(call.context, 400, error))
}

export function clientId(call: Call): string | undefined {
  return header(call, 'x-client-id') ?? header(call, 'x-openclaw-agent-id')
}

export function onClientGone(call: Call, callback: () => void): void {
  call.response.once('close', () => {
    if (!call.response.writableFinished) callback()
  })
}

function refuse(answer: () => void): null {
  answer()
  return null
}
