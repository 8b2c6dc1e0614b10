/** Hosts whose probes and requests tell different stories, that come and go, and that return to a crowd. The gateway's clock is the test's. */

import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'
import type { ConfigInput } from '../../kit/config-of.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { ask, clientOf, expectAtRest, gaugeReaches, type HostInput, startDouble } from '../../kit/fleet.ts'
import { type GatewayUnderTest, startGateway } from '../../kit/gateway-under-test.ts'
import { eventually, within } from '../../kit/within.ts'

const long = process.env['TEST_LONG'] === 'true'

/** At rest when the test is over, as `gatewayBefore`. */
async function gatewayAt(
  clock: FakeClock | undefined,
  hosts: readonly HostInput[],
  config: Omit<ConfigInput, 'hosts'> = {},
): Promise<GatewayUnderTest> {
  const gateway = await startGateway({ ...config, hosts: [...hosts] }, { clock: clock ?? systemClock })
  onTestFinished(async () => {
    try {
      await expectAtRest(gateway)
    } finally {
      await gateway.gateway.stop({ now: true })
    }
  })
  return gateway
}

test('U56: probes are good and every generation fails: the other host takes all, and no green probe ends that', async () => {
  const clock = new FakeClock()
  const sick = await startDouble({ faults: { internalError: true } })
  const sound = await startDouble()
  const hosts = [
    { name: 'sick', url: sick.url, slots: 4 },
    { name: 'sound', url: sound.url, slots: 4 },
  ]
  const gateway = await gatewayAt(clock, hosts, {
    probe: { everyMs: 1_000, timeoutMs: 600_000 },
    // Which knows of no host that it answered well before.
    balancing: { policy: 'least-busy' },
  })
  const client = clientOf(gateway, { maxRetries: 0 })
  const attempts = (): number => sick.inferenceRequests.length
  const answered = async (): Promise<boolean> =>
    client.chat.completions.create(ask('Hello', 1)).then(
      () => true,
      () => false,
    )
  /** Requests, one after the other, until the sick host was given `count` in all. */
  const untilAttempts = async (count: number): Promise<void> => {
    for (let i = 0; attempts() < count && i < 200; i++) await answered()
    expect(attempts()).toBe(count)
  }
  /** All of them by the sound host. */
  const expectAllAnswered = async (): Promise<void> => {
    const before = attempts()
    for (let i = 0; i < 20; i++) expect(await answered()).toBe(true)
    expect(attempts()).toBe(before)
  }
  /** So much time, with a good probe of the sick host in each second of it. */
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 1_500) {
      const probes = sick.requests.length
      await clock.advance(Math.min(left, 1_500))
      if (left >= 1_500) await eventually(5_000, 'a probe of the sick host', () => sick.requests.length > probes)
    }
    expect(await gateway.metric('host_up', { host: 'sick' })).toBe(1)
  }

  await untilAttempts(5)
  await expectAllAnswered()
  await pass(11_999)
  await expectAllAnswered()
  // At the latest after 18 s it is tried again; that fails, and it is out for at least twice 12 s.
  await pass(6_001)
  await untilAttempts(6)
  await expectAllAnswered()
  sick.faults.clear()
  await pass(23_999)
  await expectAllAnswered()
  await pass(12_001)
  await untilAttempts(7)
  // It answers, so nothing keeps requests from it any more.
  await untilAttempts(10)
  expect(gateway.outcomes().filter(({ fields }) => fields['status'] !== 200)).toHaveLength(6)
  expect(gateway.log.filter(({ message }) => message.includes('ejected'))).toHaveLength(2)
})

test(`U57: a host that comes and goes every 3 s changes its state at most once per 10 s${long ? ', in real time' : ''}`, {
  timeout: 200_000,
}, async () => {
  const clock = long ? undefined : new FakeClock()
  const flapping = await startDouble()
  const steady = await startDouble()
  const hosts = [
    { name: 'flapping', url: flapping.url },
    { name: 'steady', url: steady.url },
  ]
  const gateway = await gatewayAt(clock, hosts)
  const stepMs = 250
  const secondsInAll = 120
  for (let step = 0; step < (secondsInAll * 1_000) / stepMs; step++) {
    if (step % 24 === 12) flapping.crash()
    if (step % 24 === 0 && step > 0) await flapping.openListener()
    await clock?.advance(stepMs)
    // A probe under way has time to end.
    await pause(long ? stepMs : 5)
  }
  const changes = gateway.log.filter(
    ({ message, fields }) => /^host is (?:up|down)$/.test(message) && fields['host'] === 'flapping',
  )
  expect(changes.length).toBeGreaterThanOrEqual(3)
  expect(changes.length).toBeLessThanOrEqual(secondsInAll / 10)
  const ofSteady = gateway.log.filter(({ fields, level }) => fields['host'] === 'steady' && level !== 'info')
  expect(ofSteady).toEqual([])
  const client = clientOf(gateway, { maxRetries: 0 })
  expect((await client.chat.completions.create(ask('Anybody?', 1))).choices).toHaveLength(1)
})

test('S03: a host returns to a crowd that waited: one at a time at first, all its slots after 30 s, never more', {
  timeout: 100_000,
}, async () => {
  const clock = new FakeClock()
  const hostClock = new FakeClock()
  const slots = 4
  const crowd = long ? 1_000 : 100
  const double = await startDouble({ clock: hostClock, cost: { ttftMs: 100 }, slots, journalMax: 5_000 })
  const gateway = await gatewayAt(clock, [{ name: 'studio', url: double.url, slots }], {
    probe: { timeoutMs: 600_000 },
    queue: { waitMsMax: 3_600_000 },
    relay: { answerMsMax: 3_600_000 },
  })
  const client = clientOf(gateway, { maxRetries: 0, timeout: 100_000 })
  const running = (count: number): Promise<void> =>
    double.waitFor((host) => host.running === count, `${count} running requests`, 10_000)

  const cutOff = Array.from({ length: slots }, async () => client.chat.completions.create(ask('Cut off', 1)))
  const failures = Promise.allSettled(cutOff)
  await running(slots)
  const waiting = Array.from({ length: crowd }, async () => client.chat.completions.create(ask('Patient', 1)))
  const answers = Promise.all(waiting)
  await gaugeReaches(gateway, 'queue_depth', crowd)
  // It takes no more connections, as a probe finds out, and then it dies with what it had.
  double.closeListener()
  await clock.advance(6_000)
  await gaugeReaches(gateway, 'host_up', 0)
  double.crash()
  expect((await failures).map(({ status }) => status)).toEqual(Array.from({ length: slots }, () => 'rejected'))
  expect(await gateway.sum('queue_depth')).toBe(crowd)

  await double.openListener()
  const servedBefore = double.inferenceRequests.length
  for (let i = 0; (await gateway.sum('host_up')) === 0 && i < 500; i++) {
    await clock.advance(100)
    await pause(5)
  }
  // It had lost all that it was given, so one request must succeed before there is more than one at a time.
  await clock.advance(1_000)
  await running(1)
  await hostClock.advance(100)
  await double.waitFor((host) => host.inferenceRequests.length === servedBefore + 2, 'the second of the crowd', 10_000)
  await running(1)

  for (let more = 1; more < slots; more++) {
    await clock.advance(9_999)
    await expectRunning(more)
    await clock.advance(1)
    await running(more + 1)
  }
  await clock.advance(60_000)
  await expectRunning(slots)

  while (gateway.outcomes().length < slots + crowd) {
    await hostClock.advance(100)
    await pause(1)
    expect(double.running).toBeLessThanOrEqual(slots)
  }
  expect(await within(10_000, 'the answers', answers)).toHaveLength(crowd)
  expect(double.arrivedConcurrentMax).toBe(slots)
  expect(double.inferenceRequests).toHaveLength(slots + crowd)

  async function expectRunning(count: number): Promise<void> {
    // Whatever had been granted too early would have arrived in the meantime.
    expect(await gateway.sum('host_inflight')).toBe(count)
    expect(double.running).toBe(count)
    expect(await gateway.metric('host_concurrency_limit', { host: 'studio' })).toBe(count)
  }
})
