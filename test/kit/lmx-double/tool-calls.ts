/** The one form of tool calls that LMX reads back from a model's text: MiniMax XML. */
import { randomBytes } from 'node:crypto'
import type { ToolCall } from './chat-frames.ts'
import { spacedJson } from './python-json.ts'

const open = '<minimax:tool_call>'
const block = /<minimax:tool_call>(.*?)<\/minimax:tool_call>/gs
const invoke = /<invoke\s+name="?([^">]+)"?\s*>(.*?)<\/invoke>/gs
const parameter = /<parameter\s+name="?([^">]+)"?\s*>(.*?)<\/parameter>/gs

/** Text that LMX turns into a tool call, for a `reply` of the double. */
export function miniMaxToolCall(name: string, parameters: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(parameters).map(
    ([key, value]) =>
      `<parameter name="${key}">${typeof value === 'string' ? value : JSON.stringify(value)}</parameter>`,
  )
  return [open, `<invoke name="${name}">`, ...lines, '</invoke>', '</minimax:tool_call>'].join('\n')
}

/** Null when the text holds no call. Text after the block is lost, as in LMX. */
export function toolCallsIn(text: string): { content: string | null; calls: ToolCall[] } | null {
  const calls = [...text.matchAll(block)].flatMap(([, inside = '']) => callsIn(inside))
  if (calls.length === 0) return null
  const content = text.slice(0, text.indexOf(open)).trim()
  return { content: content === '' ? null : content, calls }
}

function callsIn(inside: string): ToolCall[] {
  return [...inside.matchAll(invoke)].map(([, name = '', body = '']) => {
    const values = [...body.matchAll(parameter)].map(
      ([, key = '', value = '']) => [key, valueOf(value.trim())] as const,
    )
    const id = `call_${randomBytes(12).toString('hex')}`
    return { id, name, arguments: spacedJson(Object.fromEntries(values)) }
  })
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

export type ToolStreamPart = { text: string } | { call: ToolCall; index: number }

/** Lets text through up to a call's tag, then says each call whole once its closing tag has come. */
export class ToolStream {
  #text = ''
  #said = 0
  #calls = 0
  #inside = false

  get sawCalls(): boolean {
    return this.#calls > 0
  }

  feed(chunk: string): ToolStreamPart[] {
    this.#text += chunk
    const parts: ToolStreamPart[] = []
    const tagAt = this.#text.indexOf(open)
    if (!this.#inside) {
      const end = tagAt === -1 ? this.#safeEnd() : tagAt
      const text = this.#text.slice(this.#said, end)
      this.#said = end
      this.#inside = tagAt !== -1
      const said = this.#inside ? text.trimEnd() : text
      if (said !== '') parts.push({ text: said })
    }
    if (this.#inside) {
      const calls = callsIn(this.#text.slice(tagAt))
      for (const call of calls.slice(this.#calls)) {
        parts.push({ call, index: this.#calls })
        this.#calls += 1
      }
    }
    return parts
  }

  flush(): ToolStreamPart[] {
    const rest = this.#inside ? '' : this.#text.slice(this.#said)
    this.#said = this.#text.length
    return rest === '' ? [] : [{ text: rest }]
  }

  /** Where text ends that cannot be the beginning of a tag. */
  #safeEnd(): number {
    const at = this.#text.lastIndexOf('<')
    return at >= this.#said && open.startsWith(this.#text.slice(at)) ? at : this.#text.length
  }
}
