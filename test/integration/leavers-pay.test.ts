/** Whoever leaves an answer before its end has had a host work for it, and pays for that like one who stays. */
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../kit/fake-clock.ts'
import { ask, clientOf, gatewayBefore, gaugeReaches, type HostInput, startDouble } from '../kit/fleet.ts'
import { within } from '../kit/within.ts'

const answerTokens = 60
const firstTokenMs = 100
const answerMs = firstTokenMs + answerTokens + 1

/** One host of one slot whose time the test moves, and keys by name. */
async function scene(host: Partial<HostInput> = {}) {
  const clock = new FakeClock()
  const cost = { ttftMs: firstTokenMs, decodeTokensPerSecond: 1_000 }
  const double = await startDouble({ clock, cost, slots: 4 })
  const gateway = await gatewayBefore([{ name: 'studio', url: double.url, slots: 1, ...host }])
  const keys = new Map<string, string>()
  for (const name of ['patient', 'leaver', 'somebody']) keys.set(name, (await gateway.createKey({ name })).key)
  const send = (name: string, tokens = answerTokens) => {
    const controller = new AbortController()
    const client = clientOf(gateway, { apiKey: keys.get(name) ?? '', maxRetries: 0 })
    const answer = client.chat.completions.create(ask(name, tokens), { signal: controller.signal })
    // Nobody needs to hear how it ended.
    const over = Promise.allSettled([answer])
    return { over, leave: () => controller.abort() }
  }
  const arrived = (count: number) =>
    double.waitFor(({ inferenceRequests }) => inferenceRequests.length === count, `request ${count} at the host`)
  const atRest = async (): Promise<void> => {
    await double.waitFor(({ running }) => running === 0, 'the end of the work')
    await gaugeReaches(gateway, 'host_inflight', 0)
  }
  /** What each was served, beyond the least served, seen while both wait for a slot that somebody else holds. */
  const counters = async () => {
    const before = double.inferenceRequests.length
    const requests = [send('somebody')]
    await arrived(before + 1)
    requests.push(send('leaver'), send('patient'))
    await gaugeReaches(gateway, 'queue_depth', 2)
    const line = (await gateway.admin('GET', '/admin/queue')) as { keys: { key: string; counter: number }[] }
    for (const { leave, over } of requests.toReversed()) {
      leave()
      await over
    }
    await clock.advance(answerMs)
    await atRest()
    const of = (name: string): number => line.keys.find(({ key }) => key === name)?.counter ?? Number.NaN
    return { patient: of('patient'), leaver: of('leaver') }
  }
  return { clock, double, gateway, send, arrived, atRest, counters }
}

/** Whose request it was, by its only message. */
const nameIn = (json: unknown) => (json as { messages: { content: string }[] }).messages[0]!.content

describe('an answer that comes whole, which its host goes on with', () => {
  test('costs who left it what it costs who waits for it', async () => {
    const { clock, double, send, arrived, atRest, counters } = await scene()
    const left = send('leaver')
    await double.waitFor(({ running }) => running === 1, 'the work to begin')
    left.leave()
    await left.over
    await clock.advance(answerMs)
    await atRest()
    const whole = send('patient')
    await arrived(2)
    await clock.advance(answerMs)
    await within(5_000, 'the answer', whole.over)
    const { patient, leaver } = await counters()
    // A prompt may be estimated a few tokens off; the answer alone is worth twice its tokens.
    expect(Math.abs(patient - leaver)).toBeLessThan(answerTokens)
  })

  test('brings who always leaves no more slots than one who waits', async () => {
    const { clock, double, send, arrived } = await scene()
    const going = { patient: [send('patient')], leaver: [] as ReturnType<typeof send>[] }
    await arrived(1)
    going.leaver.push(send('leaver'), send('leaver'))
    going.patient.push(send('patient'))
    const served: string[] = []
    for (let count = 1; count <= 8; count++) {
      await arrived(count)
      await double.waitFor(({ running }) => running === 1, 'the work to begin')
      const name = nameIn(double.inferenceRequests.at(-1)?.json) === 'leaver' ? 'leaver' : 'patient'
      served.push(name)
      going[name].push(send(name))
      const first = going[name].shift()
      if (name === 'leaver') first?.leave()
      await clock.advance(answerMs)
      await first?.over
    }
    expect(served.filter((name) => name === 'leaver').length).toBeLessThanOrEqual(5)
    for (const { leave } of [...going.patient, ...going.leaver]) leave()
    await double.waitFor(({ running }) => running <= 1, 'nothing new')
    await clock.advance(answerMs)
  })
})

describe('an answer that is put together from a stream', () => {
  test('is charged and recorded as far as it was generated', async () => {
    const generated = 20
    const { clock, double, gateway, send, arrived, atRest, counters } = await scene({ streamUpstream: true })
    double.faults.next({ stallAfterTokens: generated })
    const left = send('leaver')
    await arrived(1)
    await clock.advance(answerMs)
    await double.waitFor(({ tokensProduced }) => tokensProduced === generated, 'the tokens')
    // In one process all that was written before is read before this resolves.
    await gateway.metrics()
    left.leave()
    await left.over
    await atRest()
    await gateway.outcomesOnce(1)
    expect(gateway.usage[0]).toMatchObject({ key: 'leaver', status: 499, usageSource: 'counted' })
    expect(gateway.usage[0]?.tokens.output).toBe(generated)
    const whole = send('patient', generated)
    await arrived(2)
    await clock.advance(answerMs)
    await within(5_000, 'the answer', whole.over)
    const { patient, leaver } = await counters()
    expect(Math.abs(patient - leaver)).toBeLessThan(generated)
  })
})
