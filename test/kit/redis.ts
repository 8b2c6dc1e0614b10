/** A real Redis of a test: on loopback, on a port of its own, in a folder that goes with it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Debian's package of that name; where it is missing, what needs it is skipped, in CI never. */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0

export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Where a certificate was given; else empty. */
  readonly tlsUrl: string
  readonly pid: number
  /** One command, in one line; its answer as Redis wrote it. */
  command(...words: readonly string[]): Promise<string>
  /** All that it is told from now on, by everybody; as text, a byte a letter, passwords left out by Redis itself. */
  monitor(): Promise<() => string>
  /** SIGSTOP and SIGCONT. */
  freeze(): void
  thaw(): void
  kill(): Promise<void>
  /** On the same port, with nothing in it but what a SAVE has written. */
  startAgain(...options: readonly string[]): Promise<void>
  close(): Promise<void>
}

export interface RedisForm {
  /** PEM: it speaks TLS too, on a port of its own. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Of a cluster of its own, without a slot. */
  readonly isClusterNode?: boolean
}

export async function startRedis(
  options: readonly string[] = [],
  { tls, isClusterNode = false }: RedisForm = {},
): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'redis-'))
  const port = await freePort()
  const args = [
    '--port',
    `${port}`,
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'no',
    ...options,
  ]
  const tlsPort = tls === undefined ? 0 : await freePort()
  if (tls !== undefined) args.push(...(await tlsOptions(folder, tlsPort, tls)))
  // By default its port is too high for a port.
  if (isClusterNode) args.push('--cluster-enabled', 'yes', '--cluster-port', `${await freePort()}`)
  let child = await begun(args, port)
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    tlsUrl: tlsPort === 0 ? '' : `rediss://127.0.0.1:${tlsPort}`,
    get pid() {
      return child.pid ?? 0
    },
    command: (...words) => ask(port, words),
    monitor: () => monitored(port),
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    kill: end,
    startAgain: async (...more) => {
      await end()
      child = await begun([...args, ...more], port)
    },
    close: async () => {
      await end()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function tlsOptions(folder: string, port: number, tls: { cert: string; key: string }): Promise<string[]> {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  await writeFile(cert, tls.cert)
  await writeFile(key, tls.key)
  const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert]
  return ['--tls-port', `${port}`, ...files, '--tls-auth-clients', 'no']
}

async function begun(args: readonly string[], port: number): Promise<ChildProcess> {
  const child = spawn('redis-server', args, { stdio: 'ignore' })
  for (let looks = 0; looks < 200; looks++) {
    if (await answers(port, args.includes('--key-load-delay'))) return child
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  child.kill('SIGKILL')
  throw new Error('redis-server did not answer within 5 s')
}

async function answers(port: number, isLoading: boolean): Promise<boolean> {
  try {
    const answer = await ask(port, ['PING'])
    if (isLoading && answer.startsWith('-LOADING')) return true
    return answer.startsWith('+PONG') || answer.startsWith('-NOAUTH')
  } catch {
    return false
  }
}

function ask(port: number, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.setEncoding('utf8')
    socket.once('error', reject)
    socket.once('data', (answer: string) => {
      socket.destroy()
      resolve(answer)
    })
    const lengths = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
    socket.write(`*${words.length}\r\n${lengths.join('')}`)
  })
}

/** Ends with the server. */
async function monitored(port: number): Promise<() => string> {
  const socket = connect(port, '127.0.0.1')
  socket.setEncoding('latin1')
  socket.on('error', () => {})
  let text = ''
  socket.on('data', (piece: string) => {
    text += piece
  })
  socket.write('*1\r\n$7\r\nMONITOR\r\n')
  await once(socket, 'data')
  return () => text.replace(/\\x([0-9a-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
