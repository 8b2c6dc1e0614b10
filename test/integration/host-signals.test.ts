/** What hosts say of their load, over real sockets: who works there beside the gateway is seen, and seen no longer. */
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../kit/fake-clock.ts'
import { ask, gatewayBefore, startDouble } from '../kit/fleet.ts'
import type { GatewayUnderTest } from '../kit/gateway-under-test.ts'
import { startStub } from '../kit/kind-servers/stub-server.ts'
import { vllmStub } from '../kit/kind-servers/vllm.ts'
import type { LmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { becomesTrue, eventually, within } from '../kit/within.ts'

/** As long as a hint counts in full, be the machine as busy as it likes. */
const calm = { everyMs: 1_000 }
const often = { everyMs: 100 }

async function hostOf(gateway: GatewayUnderTest): Promise<string | null> {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify(ask('Hello', 1))
  const answer = await fetch(`${gateway.baseUrl}/chat/completions`, { method: 'POST', headers, body })
  await answer.text()
  return answer.headers.get('x-lmx-gateway-host')
}

/** Requests that somebody sends to the host itself, which has them until the clock goes on. */
async function others(double: LmxDouble, count: number): Promise<Promise<unknown>[]> {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify(ask('Hello', 1))
  const asked = Array.from({ length: count }, () =>
    fetch(`${double.url}/v1/chat/completions`, { method: 'POST', headers, body }),
  )
  await double.waitFor(({ running }) => running === count, `${count} requests of others`)
  return asked.map(async (answer) => (await answer).text())
}

/** What the hosts have to do goes on until this is over. */
async function withTime<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  const stopped = new AbortController()
  const over = work.finally(() => stopped.abort())
  while (!stopped.signal.aborted) {
    await clock.advance(50)
    await pause(5)
  }
  return over
}

describe('requests of others at an LMX, which tells their number to anybody', () => {
  test('send ours to the other host while they are there, and no longer', async () => {
    const clock = new FakeClock()
    const busy = await startDouble({ slots: 4, clock, cost: { ttftMs: 100 } })
    const idle = await startDouble({ slots: 4 })
    const gateway = await gatewayBefore(
      [
        { name: 'busy', url: busy.url, slots: 4 },
        { name: 'idle', url: idle.url, slots: 4 },
      ],
      { probe: calm, balancing: { policy: 'least-busy' } },
    )
    const theirs = await others(busy, 3)
    const asked = busy.requests.length
    // One more began after the first, which was answered by then.
    const questions = () => busy.requests.slice(asked).filter(({ path }) => path.includes('opta-lmx')).length
    await eventually(10_000, 'the busy host to be asked', () => questions() >= 2)
    const chosen = []
    for (let at = 0; at < 8; at++) chosen.push(await hostOf(gateway))
    expect(chosen).toEqual(Array.from({ length: 8 }, () => 'idle'))
    await clock.advance(100)
    await within(5_000, 'the answers of others', Promise.all(theirs))
    const chosenSoFar = new Set<string | null>()
    await becomesTrue(10_000, 'the host to be chosen again', async () => {
      chosenSoFar.add(await withTime(clock, hostOf(gateway)))
      return chosenSoFar.has('busy')
    })
  })
})

describe('a host whose metrics fail', () => {
  test('is up and serves: a hint is missing, and nothing else', async () => {
    await using stub = await startStub(vllmStub)
    const gateway = await gatewayBefore([{ name: 'gpu', url: stub.url }], { probe: often })
    const isUp = async (): Promise<unknown> => gateway.admin('GET', '/admin/hosts')
    stub.set('/metrics', { status: 500, body: 'boom' })
    const asked = (): number => stub.requests.filter((request) => request === 'GET /metrics').length
    const before = asked()
    await eventually(10_000, 'more questions', () => asked() >= before + 5)
    expect(await isUp()).toMatchObject({
      // What it said at first is shown with its age.
      hosts: [{ name: 'gpu', kind: 'vllm', up: true, problem: null, telemetry: { queued: 1, cacheUsedRatio: 0.5 } }],
    })
    expect(gateway.log.filter(({ level }) => level === 'warn')).toEqual([])
  })
})
