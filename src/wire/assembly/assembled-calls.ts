/** Tool calls of one message, put together from the deltas of a stream. */
import { isObject, property } from '../json-value.ts'
import type { AssemblySize } from './assembly-size.ts'
import { GrowingText } from './growing-text.ts'

/** About what an object and its place in lists take. */
const callBytes = 128

/** The function of a call: its name from the first delta that has one, its arguments from all. */
export class AssembledFunction {
  readonly #size: AssemblySize
  readonly #arguments: GrowingText
  name: string | undefined

  constructor(size: AssemblySize) {
    this.#size = size
    this.#arguments = new GrowingText(size)
  }

  add(delta: unknown): void {
    const name = filledText(property(delta, 'name'))
    if (name !== undefined && this.name === undefined) {
      this.#size.take(Buffer.byteLength(name))
      this.name = name
    }
    const given = property(delta, 'arguments')
    if (typeof given === 'string') this.#arguments.add(given)
    // Some hosts give the arguments as an object, where they are text by the API.
    else if (isObject(given)) this.#arguments.add(JSON.stringify(given))
  }

  object(): Record<string, unknown> {
    return { ...(this.name === undefined ? {} : { name: this.name }), arguments: this.#arguments.text() }
  }
}

interface Call {
  readonly index: number
  id: string | undefined
  type: string | undefined
  readonly function: AssembledFunction
}

export class AssembledCalls {
  readonly #size: AssemblySize
  readonly #calls: Call[] = []
  /** The call that a delta with this index continues. */
  readonly #latest = new Map<number, Call>()

  constructor(size: AssemblySize) {
    this.#size = size
  }

  get isEmpty(): boolean {
    return this.#calls.length === 0
  }

  add(delta: unknown): void {
    if (!isObject(delta)) return
    const id = filledText(delta['id'])
    const call = this.#callOf(delta['index'], id, filledText(property(delta['function'], 'name')))
    call.id ??= id
    call.type ??= filledText(delta['type'])
    call.function.add(delta['function'])
  }

  list(): Record<string, unknown>[] {
    return this.#calls
      .toSorted((a, b) => a.index - b.index)
      .map(({ id, type, function: called }) => ({
        ...(id === undefined ? {} : { id }),
        type: type ?? 'function',
        function: called.object(),
      }))
  }

  /** Some hosts number every call 0, or none: what has another id and a name of its own is another call. */
  #callOf(givenIndex: unknown, id: string | undefined, name: string | undefined): Call {
    const index = typeof givenIndex === 'number' ? givenIndex : (this.#calls.at(-1)?.index ?? 0)
    const known = this.#latest.get(index)
    const isAnother = name !== undefined && id !== undefined && known?.id !== undefined && known.id !== id
    if (known !== undefined && !isAnother) return known
    this.#size.take(callBytes + Buffer.byteLength(id ?? ''))
    const call: Call = { index, id: undefined, type: undefined, function: new AssembledFunction(this.#size) }
    this.#calls.push(call)
    this.#latest.set(index, call)
    return call
  }
}

function filledText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
