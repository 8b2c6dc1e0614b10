/** HAProxy and nginx, set as the examples beside this file have it, before the gateways of a test. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { missing } from '../../outside/tool.ts'
import { RunningProcess } from '../child-process.ts'
import { listen } from '../servers.ts'
import { becomesTrue, eventually } from '../within.ts'

export type BalancerName = 'haproxy' | 'nginx'

export interface Balancer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Gives this one nothing more from now on: nginx by its configuration, HAProxy sees it by itself. */
  takeOut(gatewayUrl: string): Promise<void>
  /** Of HAProxy: whether it takes each of the gateways, in their order, for ready. */
  ready(): Promise<readonly boolean[]>
}

interface Program {
  readonly example: string
  /** Lines of the example with the addresses of gateways. */
  readonly server: RegExp
  serverLine(index: number, address: string, isOut: boolean): string
  /** What stands around the example on a machine. */
  whole(example: string, folder: string): string
  command(config: string): readonly [string, ...string[]]
  /** Reads its configuration anew. */
  readonly reloads: NodeJS.Signals | null
}

const programs: Readonly<Record<BalancerName, Program>> = {
  haproxy: {
    example: 'haproxy.cfg',
    server: /^ *server .*\n/gm,
    serverLine: (index, address) => `  server gateway-${index + 1} ${address}\n`,
    whole: (example, folder) => `global\n  stats socket ${folder}/stats\n${example}`,
    command: (config) => ['haproxy', '-db', '-f', config],
    reloads: null,
  },
  nginx: {
    example: 'nginx.conf',
    server: /^ *server [\d.]+:\d+;\n/gm,
    serverLine: (_index, address, isOut) => `  server ${address}${isOut ? ' down' : ''};\n`,
    whole: (example, folder) => `
daemon off;
user ${userInfo().username};
pid ${folder}/pid;
error_log stderr notice;
events { worker_connections 4096; }
http {
access_log off;
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((of) => `${of}_temp_path ${folder}/${of};`).join('\n')}
${example}}
`,
    command: (config) => ['nginx', '-e', 'stderr', '-c', config],
    reloads: 'SIGHUP',
  },
}

/** Where clients come in, in both examples. */
const door = /(?<=bind |listen ):?8080\b/

/** Where it is not installed, its tests say so and are skipped; in CI they fail. */
export function isMissing(name: BalancerName): boolean {
  return missing(name, '-v', name === 'nginx' ? 'nginx-light' : name)
}

/** It listens when it is there; `change`: what a test has otherwise than the example. */
export async function startBalancer(
  name: BalancerName,
  gatewayUrls: readonly string[],
  change: (example: string) => string = (example) => example,
): Promise<Balancer> {
  const program = programs[name]
  const folder = await mkdtemp(join(tmpdir(), `${name}-`))
  chmodSync(folder, 0o755)
  const port = await freePort()
  const out = new Set<string>()
  const config = join(folder, 'config')
  const write = () => writeFileSync(config, change(configOf(program, { folder, port, gatewayUrls, out })))
  write()
  const [command, ...args] = program.command(config)
  const child = new RunningProcess(command, args, { cwd: folder })
  const url = `http://127.0.0.1:${port}`
  const end = async (): Promise<void> => {
    // To the end of its workers, which a kill would leave behind.
    child.signal('SIGTERM')
    await child.end()
    await rm(folder, { recursive: true })
  }
  const ready = async (): Promise<readonly boolean[]> => readyIn(await toldBy(join(folder, 'stats')))
  try {
    await becomesTrue(10_000, `${name} to listen (${child.err})`, () => answers(url))
  } catch (error) {
    await end()
    throw error
  }
  return {
    url,
    port,
    ready,
    async takeOut(gatewayUrl) {
      if (program.reloads === null) return
      out.add(gatewayUrl)
      write()
      const told = child.err.length
      child.signal(program.reloads)
      await eventually(10_000, 'its workers to take nothing more', () =>
        child.err.slice(told).includes('gracefully shutting down'),
      )
    },
    [Symbol.asyncDispose]: end,
  }
}

interface Wanted {
  readonly folder: string
  readonly port: number
  readonly gatewayUrls: readonly string[]
  readonly out: ReadonlySet<string>
}

function configOf(program: Program, { folder, port, gatewayUrls, out }: Wanted): string {
  const lines = gatewayUrls.map((url, index) => program.serverLine(index, new URL(url).host, out.has(url)))
  let isFirst = true
  const example = readFileSync(new URL(program.example, import.meta.url), 'utf8')
    .replace(door, `127.0.0.1:${port}`)
    .replace(program.server, () => {
      const text = isFirst ? lines.join('') : ''
      isFirst = false
      return text
    })
  return program.whole(example, folder)
}

/** What its socket for operators says of all servers. */
function toldBy(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(socketPath)
    socket.setEncoding('utf8').on('data', (piece: string) => (text += piece))
    socket.once('error', reject)
    socket.once('end', () => resolve(text))
    socket.write('show stat\n')
  })
}

const statusColumn = 17

function readyIn(stat: string): readonly boolean[] {
  return stat
    .split('\n')
    .map((line) => line.split(','))
    .filter(([, server = '']) => server.startsWith('gateway-'))
    .map((columns) => columns[statusColumn] === 'UP' || columns[statusColumn]?.startsWith('UP ') === true)
}

/** Whatever stands behind it. */
async function answers(url: string): Promise<boolean> {
  try {
    await (await fetch(`${url}/healthz`, { headers: { connection: 'close' } })).arrayBuffer()
    return true
  } catch {
    return false
  }
}

/** Neither of them can take a port of the system's choice and say which. */
export async function freePort(): Promise<number> {
  const closed = await listen(createServer())
  await closed.close()
  return closed.port
}
