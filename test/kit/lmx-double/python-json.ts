/** JSON as LMX writes it: compact with raw UTF-8 in whole answers, spaced and escaped to ASCII in stream frames. */

/** A number that Python prints with a decimal point even when it is whole. */
export class PyFloat {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

interface Style {
  comma: string
  colon: string
  text: (value: string) => string
}

const compact: Style = { comma: ',', colon: ':', text: JSON.stringify }
const spaced: Style = { comma: ', ', colon: ': ', text: asciiString }

/** Like FastAPI's JSONResponse and pydantic's `model_dump_json`. */
export function compactJson(value: unknown): string {
  return write(value, compact)
}

/** Like Python's `json.dumps` with its defaults. */
export function spacedJson(value: unknown): string {
  return write(value, spaced)
}

/** A JSON string in which everything outside ASCII is escaped, as `ensure_ascii` does it. */
export function asciiString(text: string): string {
  const json = JSON.stringify(text)
  return /[^\x20-\x7e]/.test(json) ? json.replace(/[^\x20-\x7e]/g, escaped) : json
}

const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

function write(value: unknown, style: Style): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'string') return style.text(value)
  if (value instanceof PyFloat) return Number.isInteger(value.value) ? value.value.toFixed(1) : String(value.value)
  if (Array.isArray(value)) return `[${value.map((item) => write(item, style)).join(style.comma)}]`
  if (typeof value !== 'object') return JSON.stringify(value)
  const members: string[] = []
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined) members.push(`${style.text(key)}${style.colon}${write(member, style)}`)
  }
  return `{${members.join(style.comma)}}`
}
