/** A server that speaks as much of the protocol of Redis as a test lets it: for versions that are not installed here. */
import { createServer } from 'node:net'
import { type Listening, listen } from './servers.ts'

export interface RedisDouble extends AsyncDisposable {
  readonly url: string
  /** The words of each command, as they came. */
  readonly asked: readonly (readonly string[])[]
}

/** `answer`: what is written back, in the protocol's form; undefined: as a good server does. */
export async function redisDouble(answer: (words: readonly string[]) => string | undefined): Promise<RedisDouble> {
  const asked: (readonly string[])[] = []
  const server = createServer((socket) => {
    let text = ''
    socket.setEncoding('utf8')
    socket.on('error', () => {})
    socket.on('data', (piece: string) => {
      text += piece
      for (let found = wordsIn(text); found !== null; found = wordsIn(text)) {
        text = text.slice(found.length)
        asked.push(found.words)
        socket.write(answer(found.words) ?? usual(found.words))
      }
    })
  })
  const listening: Listening = await listen(server)
  return { url: `redis://127.0.0.1:${listening.port}`, asked, [Symbol.asyncDispose]: () => listening.close() }
}

/** A text of several lines. */
export function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`
}

function usual([command = '']: readonly string[]): string {
  return command === 'HELLO' ? '%1\r\n+proto\r\n:3\r\n' : '+OK\r\n'
}

/** The first command of some bytes; null while it is not whole. Only letters of one byte. */
function wordsIn(text: string): { words: string[]; length: number } | null {
  const head = /^\*(\d+)\r\n/.exec(text)
  if (head === null) return null
  const words: string[] = []
  let at = head[0].length
  while (words.length < Number(head[1])) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at))
    if (size === null) return null
    const begins = at + size[0].length
    const ends = begins + Number(size[1])
    if (text.length < ends + 2) return null
    words.push(text.slice(begins, ends))
    at = ends + 2
  }
  return { words, length: at }
}
