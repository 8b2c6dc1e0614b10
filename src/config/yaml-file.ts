/** Reads YAML text into plain values, with variables put in, and remembers the line of every key and value. */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseDocument,
  Scalar,
  type YAMLError,
  type YAMLMap,
} from 'yaml'
import { type Environment, interpolate, plainScalarValue } from './interpolation.ts'
import type { ConfigPath, Finding } from './problem.ts'
import { parserSentence } from './yaml-sentences.ts'

export interface YamlFile {
  readonly input: unknown
  /** False when the text is no YAML: nothing of `input` means anything then. */
  readonly readable: boolean
  readonly problems: readonly PlacedProblem[]
  place(finding: Pick<Finding, 'path' | 'part'>): Position
  /** True where a variable went in, so that its value must not be shown. */
  interpolated(path: ConfigPath): boolean
}

interface Position {
  readonly line: number
  readonly column: number
}

export interface PlacedProblem extends Position {
  readonly path: ConfigPath
  readonly message: string
}

/** Anchors can make a small file huge, or endless ("billion laughs"); no honest configuration comes near either. */
const nodesMax = 20_000
const depthMax = 32

export function readYaml(text: string, environment: Environment): YamlFile {
  const lines = new LineCounter()
  // Pretty errors quote the line they are about, and that line may hold a key.
  // The parser places a repeated key before the blanks in front of it; the reader knows better where it stands.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false })
  const reader = new NodeReader(document, lines, environment)
  // After the first mistake in the syntax the parser complains about all that follows.
  const [broken] = document.errors
  const readable = broken === undefined
  const syntax = (readable ? document.warnings : [broken]).map((error) => reader.fromParser(error, text))
  const input = readable ? reader.read(document.contents, []) : null
  return {
    // An empty file, or one with comments only, asks for nothing.
    input: input ?? {},
    readable,
    problems: [...syntax, ...reader.problems],
    place: (finding) => reader.place(finding),
    interpolated: (path) => reader.variables.has(keyOf(path)),
  }
}

class NodeReader {
  readonly problems: PlacedProblem[] = []
  readonly variables = new Set<string>()
  readonly #document: Document
  readonly #lines: LineCounter
  readonly #environment: Environment
  readonly #keys = new Map<string, number>()
  readonly #values = new Map<string, number>()
  #nodes = 0
  #aliasDepth = 0
  #tooLarge = false

  constructor(document: Document, lines: LineCounter, environment: Environment) {
    this.#document = document
    this.#lines = lines
    this.#environment = environment
  }

  /** `node` is what yaml calls a node, or null for nothing. */
  read(node: unknown, path: ConfigPath): unknown {
    if (this.#isTooLarge(path)) return null
    this.#mark(this.#values, node, path)
    if (isAlias(node)) return this.#alias(node, path)
    if (isMap(node)) return this.#mapping(node, path)
    if (isSeq(node)) return node.items.map((item, index) => this.read(item, [...path, index]))
    return isScalar(node) ? this.#scalar(node, path) : null
  }

  place({ path, part }: Pick<Finding, 'path' | 'part'>): Position {
    const places = part === 'key' ? this.#keys : this.#values
    for (let length = path.length; length >= 0; length--) {
      const key = keyOf(path.slice(0, length))
      const offset = places.get(key) ?? this.#values.get(key)
      if (offset !== undefined) return this.#position(offset)
    }
    return { line: 1, column: 1 }
  }

  fromParser(error: YAMLError, text: string): PlacedProblem {
    const [offset] = error.pos
    const blanks = /^ */.exec(text.slice(offset))?.[0].length ?? 0
    return { ...this.#position(offset + blanks), path: [], message: parserSentence(error, text) }
  }

  #alias(node: Alias, path: ConfigPath): unknown {
    const target = node.resolve(this.#document)
    if (target === undefined) this.#report(path, 'a value that begins with * must be in quotes')
    // What an anchor brings in is reported where it is used, so places inside it are not marked.
    this.#aliasDepth += 1
    const value = this.read(target ?? null, path)
    this.#aliasDepth -= 1
    return value
  }

  #mapping(node: YAMLMap, path: ConfigPath): unknown {
    const names = new Set<string>()
    const entries = node.items.flatMap((pair) => {
      const name = this.#nameOf(pair, path)
      if (name === null) return []
      if (names.has(name)) this.#repeated(pair, name)
      names.add(name)
      return [this.#entry(pair, [...path, name], name)]
    })
    return Object.fromEntries(entries)
  }

  #nameOf(pair: Pair, path: ConfigPath): string | null {
    if (isScalar(pair.key)) return typeof pair.key.value === 'string' ? pair.key.value : (pair.key.source ?? '')
    this.#report(path, 'a key must be a plain word')
    return null
  }

  /** What an anchor brings in was complained about where it stands. */
  #repeated(pair: Pair, name: string): void {
    if (this.#aliasDepth > 0 || !isNode(pair.key)) return
    const position = this.#position(pair.key.range?.[0] ?? 0)
    this.problems.push({ ...position, path: [], message: `the key "${name}" is given twice` })
  }

  #entry(pair: Pair, inner: ConfigPath, name: string): [string, unknown] {
    this.#mark(this.#keys, pair.key, inner)
    // Stands in for the value where there is none.
    this.#mark(this.#values, pair.key, inner)
    return [name, this.read(pair.value, inner)]
  }

  #scalar(node: Scalar, path: ConfigPath): unknown {
    if (typeof node.value !== 'string' || !node.value.includes('${')) return node.value
    const { text, changed, problems } = interpolate(node.value, this.#environment)
    for (const problem of problems) this.#report(path, problem)
    if (changed) this.variables.add(keyOf(path))
    return node.type === Scalar.PLAIN && changed ? plainScalarValue(text) : text
  }

  #isTooLarge(path: ConfigPath): boolean {
    this.#nodes += 1
    if (this.#nodes <= nodesMax && path.length <= depthMax) return false
    if (!this.#tooLarge) {
      this.#report(path.slice(0, 2), `more than ${nodesMax} values, or nested deeper than ${depthMax}`)
    }
    this.#tooLarge = true
    return true
  }

  #report(path: ConfigPath, message: string): void {
    this.problems.push({ ...this.place({ path, part: 'value' }), path, message })
  }

  #mark(places: Map<string, number>, node: unknown, path: ConfigPath): void {
    if (this.#aliasDepth > 0 || !isNode(node) || (isScalar(node) && node.source === '')) return
    if (node.range) places.set(keyOf(path), node.range[0])
  }

  #position(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
}

function keyOf(path: ConfigPath): string {
  return JSON.stringify(path)
}
