/** A ProbeGet of tests: one connection for each GET, and nothing of the gateway's own transport. */

import { request } from 'node:http'
import type { ProbeAnswer, ProbeGet } from '../../../src/hosts/kinds/host-kind.ts'
import { parseJson } from '../../../src/wire/json-value.ts'

const probeMsMax = 5_000

export function probeGet(baseUrl: string): ProbeGet {
  return (path) =>
    new Promise<ProbeAnswer>((resolve, reject) => {
      const sent = request(baseUrl + path, { agent: false, timeout: probeMsMax }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.once('error', reject)
        response.once('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: parseJson(text) })
        })
      })
      sent.once('timeout', () => sent.destroy(new Error(`no answer to GET ${path} within ${probeMsMax} ms`)))
      sent.once('error', reject)
      sent.end()
    })
}
