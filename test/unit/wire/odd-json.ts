/** JSON as no serialiser writes it, yet every parser reads it: whitespace and escapes wherever they may stand. */

import * as fc from 'fast-check'

const spaces = ['', '', ' ', '\n', '\t', '\r\n', '   ']
const shortEscapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '/': '\\/' }

/** Writes values by whims, which are numbers that are used up one after the other, and then again from the start. */
export class OddJson {
  readonly #whims: readonly number[]
  #used = 0

  constructor(whims: readonly number[]) {
    this.#whims = whims
  }

  value(value: unknown): string {
    if (typeof value === 'string') return this.text(value)
    if (Array.isArray(value)) return `[${this.#list(value.map((item) => () => this.value(item)))}]`
    if (typeof value !== 'object' || value === null) return JSON.stringify(value)
    return `{${this.#list(
      Object.entries(value).map(
        ([key, item]) =>
          () =>
            this.member(key, this.value(item)),
      ),
    )}}`
  }

  member(key: string, value: string): string {
    return `${this.text(key)}${this.space()}:${this.space()}${value}`
  }

  text(text: string): string {
    return `"${text.replace(/./gsu, (char) => this.#char(char))}"`
  }

  space(): string {
    return spaces[this.#whim(spaces.length)] ?? ''
  }

  #list(parts: readonly (() => string)[]): string {
    return this.space() + parts.map((part) => `${part()}${this.space()}`).join(`,${this.space()}`)
  }

  #char(char: string): string {
    const whim = this.#whim(6)
    if (whim === 0) return units(char).join('')
    if (whim === 1) return units(char).join('').toUpperCase().replaceAll('\\U', '\\u')
    if (whim === 2 && shortEscapes[char] !== undefined) return shortEscapes[char]
    return JSON.stringify(char).slice(1, -1)
  }

  #whim(below: number): number {
    const whim = this.#whims[this.#used % this.#whims.length] ?? 0
    this.#used += 1
    return whim % below
  }
}

function units(char: string): string[] {
  return char.split('').map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

export const whims: fc.Arbitrary<number[]> = fc.array(fc.nat(1_000), { minLength: 1, maxLength: 40 })

/** Texts full of what a scanner of bytes could stumble over. */
export const oddText: fc.Arbitrary<string> = fc
  .array(
    fc.constantFrom(...'"|\\|{|}|[|]|:|,| |/|\n|a|é|🦀|\0|\u2028|model|"model":"x"|\\"'.split('|'), '"'.repeat(20)),
    {
      maxLength: 6,
    },
  )
  .map((words) => words.join(''))

/** Without backslashes: where a key holds one, JSON.parse of V8 may misread others (https://github.com/nodejs/node/issues/63785). */
const plainText = oddText.map((text) => text.replaceAll('\\', '/'))

/** Keys that decide something, and others. */
export const oddKey: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('model', 'stream', 'stream_options', 'include_usage', 'n', 'messages', '__proto__', ''),
  plainText,
)

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, false, 0, -1.5e-7, 1e21, 12),
    oddText,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(oddKey, tie('value'), { maxKeys: 3 }),
  ),
}))

export const oddValue: fc.Arbitrary<unknown> = value
