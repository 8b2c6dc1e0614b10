/** testssl.sh against a real gateway that serves over TLS: which versions it speaks, and what it lets a client do. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { certificateFolder } from '../kit/certificate-files.ts'
import { authority, certificate } from '../kit/certificates.ts'
import { startDouble } from '../kit/fleet.ts'
import { missing, runTool } from './tool.ts'
import { WatchedGateway } from './watched-gateway.ts'

/** It takes some 15 s where nothing else runs. */
const toolMsMax = 150_000

interface Finding {
  readonly id: string
  readonly severity: string
  readonly finding: string
}

/** Versions, ciphers, compression, and negotiation anew. */
const checks = ['-p', '-s', '-C', '-R']

describe.skipIf(missing('testssl', '--help', 'testssl.sh'))('testssl.sh', () => {
  test('X32: TLS 1.2 and 1.3 and HTTP/1.1 alone, with sound ciphers, and nothing that is known to be weak', async () => {
    const ca = authority()
    const own = certificate('localhost', { by: ca, for: ['localhost', '127.0.0.1'] })
    const folder = certificateFolder()
    const host = await startDouble({})
    const gateway = await WatchedGateway.start({
      hosts: [{ name: 'double', url: host.url }],
      server: { tls: { cert: folder.write('cert.pem', own.cert), key: folder.write('key.pem', own.key) } },
    })
    const reports = mkdtempSync(join(tmpdir(), 'testssl-'))
    onTestFinished(() => rmSync(reports, { recursive: true }))
    const report = join(reports, 'report.json')
    // It looks up no names and asks nobody else.
    const how = [
      '--quiet',
      '--color',
      '0',
      '--warnings',
      'off',
      '-n',
      'none',
      '--ip',
      '127.0.0.1',
      '--jsonfile',
      report,
    ]
    const { output } = await runTool('testssl', [...how, ...checks, `https://localhost:${gateway.port}`], {
      ms: toolMsMax,
    })
    const findings = JSON.parse(readFileSync(report, 'utf8')) as readonly Finding[]
    const found = Object.fromEntries(findings.map(({ id, finding }) => [id, finding]))
    expect(found, output).toMatchObject({
      service: 'HTTP',
      SSLv2: 'not offered',
      SSLv3: 'not offered',
      TLS1: 'not offered',
      TLS1_1: 'not offered',
      TLS1_2: 'offered',
      TLS1_3: 'offered with final',
      NPN: 'not offered',
      ALPN: 'http/1.1',
      cipherlist_NULL: 'not offered',
      cipherlist_aNULL: 'not offered',
      cipherlist_EXPORT: 'not offered',
      cipherlist_LOW: 'not offered',
      cipherlist_3DES_IDEA: 'not offered',
      cipherlist_STRONG: 'offered',
      secure_renego: 'supported',
      secure_client_renego: 'not vulnerable',
      CRIME_TLS: 'not vulnerable',
    })
    // LOW is for ciphers of TLS 1.2 that Node still offers to old clients; WARN for what its own openssl cannot try.
    expect(findings.filter(({ severity }) => ['MEDIUM', 'HIGH', 'CRITICAL', 'FATAL'].includes(severity))).toEqual([])
    await gateway.expectAtRest([])
  })
})
