/**
 * What one gateway tells the others with a beat, as text: a status, and what each topic has. Others may be of another version,
 * or no gateways at all, so that what comes in is looked at before it is believed.
 */

export interface ReplicaStatus {
  readonly id: string
  /** As operators know it. */
  readonly name: string
  readonly version: string
  /** Wall clock. */
  readonly startedAtMs: number
}

export interface Message {
  readonly own: ReplicaStatus
  /** By topic. */
  readonly told: ReadonlyMap<string, unknown>
  readonly leaves: boolean
}

/** Of one topic; each is to keep itself well below it. */
export const topicCharsMax = 256 * 1_024
/** Nobody who keeps to that has more to say. */
const messageCharsMax = 4 * 1_024 * 1_024
const textCharsMax = 128

/** `told`: the JSON of each topic. */
export function messageText(own: ReplicaStatus, told: ReadonlyMap<string, string>, leaves: boolean): string {
  const topics = Array.from(told, ([topic, json]) => `${JSON.stringify(topic)}:${json}`)
  return `{"own":${JSON.stringify(own)},"leaves":${leaves},"told":{${topics.join(',')}}}`
}

/** Null where that is no message of a gateway. */
export function messageOf(text: string): Message | null {
  if (text.length > messageCharsMax) return null
  const message = parsed(text)
  if (!isObject(message) || !isObject(message['told'])) return null
  const own = statusOf(message['own'])
  if (own === null) return null
  return { own, told: new Map(Object.entries(message['told'])), leaves: message['leaves'] === true }
}

/** Null where it is none. */
export function statusOf(value: unknown): ReplicaStatus | null {
  if (!isObject(value)) return null
  const { id, name, version, startedAtMs } = value
  if (!isText(id) || !isText(name) || !isText(version)) return null
  if (typeof startedAtMs !== 'number' || !Number.isFinite(startedAtMs)) return null
  return { id, name, version, startedAtMs }
}

/** Undefined where it is no JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= textCharsMax
}
