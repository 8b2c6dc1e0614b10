/** Scripts for varnishtest, byte for byte, against a real gateway: hosts and clients that break HTTP, and one that leaves. */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { startScriptedHost } from './scripted-host.ts'
import { missing, runTool } from './tool.ts'
import { WatchedGateway } from './watched-gateway.ts'

const folder = fileURLToPath(new URL('vtc/', import.meta.url))
const scriptMsMax = 30_000

interface Script {
  /** Status and end code of each request that the gateway took. */
  readonly ends: readonly string[]
  /** Connections that its host is to see, beside those of probes. */
  readonly hostConnections: number
}

const scripts: Readonly<Record<string, Script>> = {
  'client-breaks-http': { ends: ['400 GR'], hostConnections: 0 },
  'client-expects': { ends: ['200 --', '413 GR'], hostConnections: 1 },
  'client-http10': { ends: ['200 --'], hostConnections: 1 },
  'client-leaves': { ends: ['499 CH'], hostConnections: 1 },
  'client-pipelines': { ends: ['200 --'], hostConnections: 1 },
  'host-early-hints': { ends: ['200 --'], hostConnections: 1 },
  'host-ends-too-early': { ends: ['200 UD'], hostConnections: 1 },
  'host-junk-after-length': { ends: ['200 --', '200 --'], hostConnections: 2 },
  'host-no-final-chunk': { ends: ['200 --'], hostConnections: 1 },
  'host-truncated-chunk': { ends: ['200 UD'], hostConnections: 1 },
  'host-two-lengths': { ends: ['502 UH'], hostConnections: 1 },
}

describe.skipIf(missing('varnishtest', '-h', 'varnish'))('varnishtest', () => {
  test('every script has its expectations', () => {
    const names = readdirSync(folder).map((name) => name.replace(/\.vtc$/, ''))
    expect(names.toSorted()).toEqual(Object.keys(scripts))
  })

  test.each(Object.entries(scripts))('%s', async (name, { ends, hostConnections }) => {
    const host = await startScriptedHost(['m'])
    const gateway = await WatchedGateway.start({ hosts: [{ name: 'scripted', url: host.url, kind: 'openai' }] })
    const macros = { gateway: `127.0.0.1:${gateway.port}`, host_port_file: host.portFile }
    const defined = Object.entries(macros).flatMap(([macro, value]) => ['-D', `${macro}=${value}`])
    const { code, output } = await runTool('varnishtest', ['-t', '20', ...defined, `${folder}${name}.vtc`], {
      ms: scriptMsMax,
    })
    expect(code, output).toBe(0)
    await gateway.expectAtRest(ends)
    await gateway.expectAlive()
    expect(host.connections()).toBe(hostConnections)
  })
})
