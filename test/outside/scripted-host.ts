/**
 * The door to a host that a script of varnishtest plays: it answers probes itself, so that the gateway takes the host
 * for one, and hands every other connection on byte for byte, to the port that the script wrote into a file.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { jsonResponseBytes } from '../kit/http-bytes.ts'
import { listen } from '../kit/servers.ts'

export interface ScriptedHost {
  readonly url: string
  /** The script writes its port here. */
  readonly portFile: string
  /** Connections that were handed on. */
  readonly connections: () => number
}

/** Closed when the test is over. */
export async function startScriptedHost(models: readonly string[]): Promise<ScriptedHost> {
  const folder = mkdtempSync(join(tmpdir(), 'scripted-host-'))
  const portFile = join(folder, 'port')
  let connections = 0
  const list = { object: 'list', data: models.map((id) => ({ id, object: 'model' })) }
  const onFirst = (socket: Socket, first: Buffer): void => {
    if (first.toString('latin1').startsWith('GET ')) {
      const found = first.toString('latin1').startsWith('GET /v1/models ')
      socket.end(jsonResponseBytes(found ? 200 : 404, found ? list : {}, { connection: 'close' }))
      return
    }
    connections += 1
    if (existsSync(portFile)) handOn(socket, first, Number(readFileSync(portFile, 'utf8')))
    else socket.destroy()
  }
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    socket.once('data', (first: Buffer) => onFirst(socket, first))
  })
  const listening = await listen(server)
  onTestFinished(async () => {
    await listening.close()
    rmSync(folder, { recursive: true })
  })
  return { url: listening.url, portFile, connections: () => connections }
}

/** Either side's end and either side's reset reach the other. */
function handOn(from: Socket, first: Buffer, port: number): void {
  const to = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  to.write(first)
  from.pipe(to)
  to.pipe(from)
  from.on('error', () => to.resetAndDestroy())
  to.on('error', () => from.resetAndDestroy())
}
