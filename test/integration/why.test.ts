/** Why a request went where it did: by the admin API and on the command line, of a gateway that runs. */

import { afterEach, describe, expect, test, vi } from 'vitest'
import type { ShownDecision } from '../../src/http/admin/decision-schema.ts'
import type { ShownRequest } from '../../src/http/admin/requests-schema.ts'
import { cli } from '../kit/cli-run.ts'
import { everyPiece } from '../kit/every-piece.ts'
import { ask, clientOf, gatewayBefore, gaugeReaches, model, startDouble } from '../kit/fleet.ts'
import type { GatewayUnderTest } from '../kit/gateway-under-test.ts'
import { admin, chat, held, requests } from './admin-line-scene.ts'

afterEach(() => void vi.unstubAllEnvs())

const canary = 'the-word-of-the-prompt'

async function decisions(gateway: GatewayUnderTest, query = ''): Promise<readonly ShownDecision[]> {
  return ((await admin(gateway, 'GET', `/admin/decisions${query}`)).json as { decisions: ShownDecision[] }).decisions
}

function commandLine(gateway: GatewayUnderTest) {
  vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', gateway.adminToken)
  return (...args: readonly string[]) => cli([...args, '--admin-url', gateway.adminUrl])
}

/** Two hosts, and one stream that has ended at one of them. */
async function served() {
  const [studio, mini] = [await startDouble(), await startDouble()]
  const gateway = await gatewayBefore([
    { name: 'studio', url: studio.url },
    { name: 'mini', url: mini.url },
  ])
  await everyPiece(await clientOf(gateway).chat.completions.create({ ...ask(canary, 8), stream: true }))
  const [line] = await gateway.outcomesOnce(1)
  return { gateway, id: String(line?.fields['id']), host: String(line?.fields['host']), line }
}

describe('of a request that has ended', () => {
  test('each place that was considered stands there, why one was chosen, and what came of it', async () => {
    const { gateway, id, host, line } = await served()
    const [decision, ...others] = await decisions(gateway)
    expect(others).toEqual([])
    expect(decision).toMatchObject({
      id,
      host,
      model,
      key: 'anonymous',
      policy: 'fastest',
      reason: line?.fields['reason'],
    })
    expect(decision?.places.map((place) => place.host).toSorted()).toEqual(['mini', 'studio'])
    expect(decision?.places[0]).toMatchObject({ host, free: true, slotWaitMs: 0, loadMs: 0, running: 0, samples: 0 })
    expect(Number(decision?.places[0]?.prefillMs)).toBeGreaterThan(0)
    expect(decision?.came).toMatchObject({ outputTokens: 8, failure: null })
    const shown = (await admin(gateway, 'GET', `/admin/requests/${id}`)).json as ShownRequest
    expect(shown.decisions).toEqual([decision])
    expect(shown.ended?.attemptsMade[0]?.considered.toSorted()).toEqual(['mini', 'studio'])
    expect(JSON.stringify(shown)).not.toContain(canary)
  })

  test('the list is narrowed by what is asked for', async () => {
    const { gateway, id, host } = await served()
    const requestId = (await decisions(gateway))[0]?.requestId
    const other = host === 'studio' ? 'mini' : 'studio'
    for (const query of [
      `request=${id}`,
      `request=${requestId}`,
      `host=${host}`,
      `model=${model}`,
      'key=anonymous',
      'count=1',
    ])
      expect(await decisions(gateway, `?${query}`), query).toHaveLength(1)
    for (const query of [`host=${other}`, 'model=no', 'key=alice', 'request=no', 'reason=weight'])
      expect(await decisions(gateway, `?${query}`), query).toEqual([])
    expect((await admin(gateway, 'GET', '/admin/decisions?count=0')).status).toBe(400)
    expect((await admin(gateway, 'GET', '/admin/decisions?hots=x')).status).toBe(400)
  })

  test('the command line tells it', async () => {
    const { gateway, id, host } = await served()
    const run = commandLine(gateway)
    const { code, out, err } = await run('why', id)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(
      new RegExp(`^${id} of anonymous \\(default\\): ${model}; \\d+ tokens in and \\d+ out, as estimated$`, 'm'),
    )
    expect(out).toMatch(new RegExp(`^1\\. ${host}: .* \\(fastest\\)$`, 'm'))
    expect(out).toMatch(new RegExp(`^ {3}> +${host} +free `, 'm'))
    expect(out).toMatch(/^ {3}first token after \d+ ms, predicted \d+ ms/m)
    expect(out).toMatch(/^ {3}8 tokens written, /m)
    expect(out).toMatch(/^It ended after .* with 200 \(--\)\.$/m)
    const json = JSON.parse((await run('why', id, '--json')).out) as ShownRequest & { waiting: unknown }
    expect(json).toMatchObject({ live: null, ended: { id }, decisions: [{ id, host }], waiting: null })
  })

  test('one that is not known is told what to do about it', async () => {
    const { gateway } = await served()
    const { code, err } = await commandLine(gateway)('why', 'nobody')
    expect(code).toBe(1)
    expect(err).toMatch(/no such request, or it ended too long ago: .*log\.recentRequestsMax.*balancing\.decisionsMax/)
  })
})

test('of one that waits: that no host was chosen yet, who goes before it, and then where it went', async () => {
  const { double, gateway, finish } = await held()
  const run = commandLine(gateway)
  const running = chat(gateway, 'running')
  await double.waitFor((host) => host.running === 1, 'the first request')
  const waiting = chat(gateway, 'waiting')
  await gaugeReaches(gateway, 'queue_depth', 1)
  const [one] = await requests(gateway, '?phase=waiting')
  const { code, out } = await run('why', String(one?.id))
  expect(code).toBe(0)
  expect(out).toMatch(/^It waits in the line for a slot of any host, for \d+\.\d s: /m)
  expect(out).toMatch(/^0 requests go before it, 0 of its own key\.$/m)
  const [first] = await requests(gateway, '?phase=running')
  expect((await run('why', String(first?.id))).out).toMatch(/^It is at studio, for \d+\.\d s in the phase headers\.$/m)
  await finish()
  await running
  await double.waitFor(({ inferenceRequests }) => inferenceRequests.length === 2, 'the second request')
  await finish()
  await waiting
  await gateway.outcomesOnce(2)
  expect((await run('why', String(one?.id))).out).toMatch(/^1\. studio: no other host could take it \(only_host\)$/m)
})
