/** The physical reference: nginx and HAProxy, each as one process, set to pass a stream on without holding it back. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { listen } from '../../kit/servers.ts'
import { startProgram } from '../children.ts'
import type { Target, TargetMaker, TargetName, TargetWanted } from './target.ts'

/** Of sockets on both sides. */
const connectionsMax = 8_192
const startMs = 5_000

interface Program {
  readonly name: TargetName
  /** Says its version. */
  readonly version: readonly [string, ...string[]]
  readonly package: string
  command(config: string): readonly [string, ...string[]]
  config(folder: string, port: number, hosts: readonly string[]): string
}

const nginx: Program = {
  name: 'nginx',
  version: ['nginx', '-v'],
  package: 'nginx-light',
  command: (config) => ['nginx', '-e', 'stderr', '-c', config],
  config: (folder, port, hosts) => `
daemon off;
master_process off;
pid ${folder}/pid;
error_log stderr;
events { worker_connections ${connectionsMax * 2}; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((of) => `${of}_temp_path ${folder}/${of};`).join(' ')}
  client_max_body_size 0;
  keepalive_requests 100000000;
  upstream stub { ${hosts.map((host) => `server ${host};`).join(' ')} keepalive ${connectionsMax}; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://stub;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 3600s;
    }
  }
}
`,
}

const haproxy: Program = {
  name: 'haproxy',
  version: ['haproxy', '-v'],
  package: 'haproxy',
  command: (config) => ['haproxy', '-db', '-f', config],
  config: (_folder, port, hosts) => `
global
  nbthread 1
  maxconn ${connectionsMax}
defaults
  mode http
  option http-no-delay
  http-reuse always
  timeout connect 5s
  timeout client 3600s
  timeout server 3600s
listen bench
  bind 127.0.0.1:${port} backlog 4096
${hosts.map((host, at) => `  server stub-${at} ${host}`).join('\n')}
`,
}

/** What they write goes into `folder`. */
export function proxyMakers(folder: string): readonly TargetMaker[] {
  return [nginx, haproxy].map((program) => new ProxyMaker(program, folder))
}

class ProxyMaker implements TargetMaker {
  readonly name: TargetName
  readonly words: string
  readonly #program: Program
  readonly #folder: string
  readonly #isThere: boolean

  constructor(program: Program, folder: string) {
    this.#program = program
    this.#folder = folder
    this.name = program.name
    const [command, ...args] = program.version
    const { stdout, stderr, status } = spawnSync(command, args, { encoding: 'utf8' })
    this.#isThere = status === 0
    this.words = /\d+\.\d+\.\d+/.exec(`${stdout}${stderr}`)?.[0] ?? ''
  }

  absentBecause(): string | null {
    return this.#isThere ? null : `${this.name} is not installed; Debian has it as ${this.#program.package}`
  }

  async start({ hostUrl, otherHostUrls = [], core }: TargetWanted): Promise<Target> {
    const folder = mkdtempSync(join(this.#folder, `${this.name}-`))
    const port = await freePort()
    const config = join(folder, 'config')
    const hosts = [hostUrl, ...otherHostUrls].map((url) => new URL(url).host)
    writeFileSync(config, this.#program.config(folder, port, hosts))
    const child = startProgram(core, this.#program.command(config), { cwd: folder })
    const end = async (): Promise<void> => {
      await child[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    }
    const url = `http://127.0.0.1:${port}`
    try {
      await answers(url)
    } catch (error) {
      await end()
      throw new Error(`${this.name} did not start: ${child.err}`, { cause: error })
    }
    const { name, words } = this
    const { pid } = child
    return { name, words, url, adminUrl: null, key: null, receipts: false, pid, child, [Symbol.asyncDispose]: end }
  }
}

/** Neither of them can take a port of the system's choice and say which. */
async function freePort(): Promise<number> {
  const closed = await listen(createServer())
  await closed.close()
  return closed.port
}

async function answers(url: string): Promise<void> {
  const endsMs = performance.now() + startMs
  for (;;) {
    const isThere = await fetch(`${url}/v1/models`).then(
      // A gateway behind it wants a key.
      (response) => response.status < 500,
      () => false,
    )
    if (isThere) return
    if (performance.now() > endsMs) throw new Error(`nothing answers at ${url}`)
    await pause(20)
  }
}
