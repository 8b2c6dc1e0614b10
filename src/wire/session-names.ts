/** What clients call a conversation, or whose it is: by the headers and fields that some of them send of themselves. */
import type { HeaderFields } from './headers.ts'
import { keyMatcher } from './json-key.ts'
import { MemberCursor, type Span } from './json-members.ts'
import { parseJson } from './json-value.ts'

/** Of the client's own making: never looked up anywhere, and no proof of anything. */
export interface SessionNames {
  readonly conversation: string | null
  /** One who may have many conversations at once. */
  readonly person: string | null
}

/** The first that is there counts. */
const conversationHeaders = [
  // Sent by some, and asked for by OpenRouter, llama-swap, LiteLLM and Olla.
  'x-session-id',
  'x-session-affinity',
  'x-conversation-id',
  'x-litellm-session-id',
  'x-olla-session-id',
  // Claude Code, opencode, Qwen Code, Open WebUI.
  'x-claude-code-session-id',
  'x-opencode-session',
  'x-qwen-code-session-id',
  'x-openwebui-chat-id',
  // Codex, by its versions.
  'session-id',
  'session_id',
  'conversation_id',
] as const
/** Its agents work on conversations of their own, side by side in one session. */
const agentHeader = 'x-claude-code-agent-id'
const personHeaders = ['x-openwebui-user-id'] as const

const conversationKeys = ['prompt_cache_key', 'session_id', 'conversation_id', 'litellm_session_id'] as const
const personKeys = ['safety_identifier', 'user'] as const
const nestedKey = 'metadata'

export const nameKeys = [...conversationKeys, ...personKeys, nestedKey] as const
export type NameSpans = Readonly<Partial<Record<(typeof nameKeys)[number], Span>>>

const nestedConversationKeys = ['session_id', 'conversation_id', 'chat_id'] as const
const nestedPersonKey = 'user_id'
type NestedKey = (typeof nestedConversationKeys)[number] | typeof nestedPersonKey
const matchNested = keyMatcher<NestedKey>([...nestedConversationKeys, nestedPersonKey])
const unnamed: SessionNames = { conversation: null, person: null }

/** A longer one is no name: it is left aside, as one is with control characters. */
export const sessionNameCharsMax = 512
/** Each character may be written as `\u0065`. */
const nameBytesMax = 6 * sessionNameCharsMax + 2
const OBJECT_OPEN = 123

export function sessionNames(headers: HeaderFields, bytes: Buffer, spans: NameSpans): SessionNames {
  const nested = nestedNames(bytes, spans[nestedKey])
  return {
    conversation: conversationOf(headers) ?? firstIn(bytes, spans, conversationKeys) ?? nested.conversation,
    person: firstOf(headers, personHeaders) ?? firstIn(bytes, spans, personKeys) ?? nested.person,
  }
}

function conversationOf(headers: HeaderFields): string | null {
  const session = firstOf(headers, conversationHeaders)
  const agent = nameOf(headers[agentHeader])
  return session === null || agent === null ? session : `${session} ${agent}`
}

function nestedNames(bytes: Buffer, span: Span | undefined): SessionNames {
  if (span === undefined || bytes[span.start] !== OBJECT_OPEN) return unnamed
  const found: { [Key in NestedKey]?: Span } = {}
  try {
    const cursor = new MemberCursor(bytes, span.start)
    while (cursor.next()) {
      const match = matchNested(bytes, cursor.keyStart, cursor.keyEnd)
      if (match?.exact === true) found[match.word] = { start: cursor.valueStart, end: cursor.valueEnd }
    }
  } catch {
    // It is no JSON inside, which is for the host to say.
  }
  const user = textAt(bytes, found[nestedPersonKey])
  // Claude Code puts user, account and session into this one field.
  const hasSession = user?.includes('session') === true
  return {
    conversation: firstIn(bytes, found, nestedConversationKeys) ?? (hasSession ? user : null),
    person: hasSession ? null : user,
  }
}

function firstOf(headers: HeaderFields, names: readonly string[]): string | null {
  // By index, since each request comes by: an iterator would make an object for each name.
  for (let i = 0; i < names.length; i++) {
    const value = nameOf(headers[names[i] ?? ''])
    if (value !== null) return value
  }
  return null
}

function firstIn<Key extends string>(
  bytes: Buffer,
  spans: { readonly [K in Key]?: Span },
  keys: readonly Key[],
): string | null {
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]
    const value = key === undefined ? null : textAt(bytes, spans[key])
    if (value !== null) return value
  }
  return null
}

function textAt(bytes: Buffer, span: Span | undefined): string | null {
  if (span === undefined || span.end - span.start > nameBytesMax) return null
  return nameOf(parseJson(bytes.toString('utf8', span.start, span.end)))
}

function nameOf(value: unknown): string | null {
  if (typeof value !== 'string' || value === '' || value.length > sessionNameCharsMax) return null
  return /\p{Cc}/u.test(value) ? null : value
}
