/** Bytes that count how often they are looked at: what work over a body costs, whatever the machine. */

export interface CountedBytes {
  readonly bytes: Buffer
  /** Bytes that were read so far, each as often as it was. */
  readonly read: () => number
}

export function countedBytes(source: Buffer): CountedBytes {
  const count = { read: 0 }
  return { bytes: counted(source, count), read: () => count.read }
}

function counted(source: Buffer, count: { read: number }): Buffer {
  const methods: Readonly<Record<string, unknown>> = {
    subarray: (start?: number, end?: number): Buffer => counted(source.subarray(start, end), count),
    indexOf: (value: number | Buffer, from = 0): number => {
      const found = source.indexOf(value, from)
      count.read += Math.max(0, found === -1 ? source.length - from : found + 1 - from)
      return found
    },
    copy: (target: Buffer, at: number, start = 0, end = source.length): number => {
      count.read += Math.max(0, end - start)
      return source.copy(target, at, start, end)
    },
    toString: (encoding?: BufferEncoding, start = 0, end = source.length): string => {
      count.read += Math.max(0, end - start)
      return source.toString(encoding, start, end)
    },
    compare: (other: Buffer, ...range: readonly number[]): number => {
      count.read += other.length
      return source.compare(other, ...range)
    },
  }
  return new Proxy(source, {
    get(target, key) {
      if (typeof key === 'string' && key in methods) return methods[key]
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value === 'function') throw new Error(`Nothing counts what ${String(key)} reads: add it.`)
      if (typeof value === 'number' && key !== 'length' && key !== 'byteOffset') count.read++
      return value
    },
  })
}
