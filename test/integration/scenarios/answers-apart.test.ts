/** Many answers at once: none is given to another than the one who asked, and none loses a frame. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { startGateway } from '../../kit/gateway-under-test.ts'
import { jsonRequestBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { expectSoundEnd } from '../../kit/process-end.ts'
import { promptCanary } from '../../kit/prompt-canary.ts'
import { RawClient } from '../../kit/raw-client.ts'
import { eventually, within } from '../../kit/within.ts'
import { sumOf } from '../../soak/exposition.ts'
import { GatewayChild } from '../../soak/gateway-child.ts'
import { SeededRandom } from '../../soak/seeded-random.ts'
import { EchoHost } from './echo-host.ts'
import { done, errorOf, expectQuiet, model } from './scene.ts'

const long = process.env['TEST_LONG'] === 'true'

/** A connection is used this often, so that what it has received does not pile up. */
const usesMax = 40

interface Tally {
  whole: number
  left: number
  failed: number
  /** Of answers whose head came. */
  readonly answeredIds: Set<string>
}

/** One client after the other on kept connections: single requests, several in one write, and some that are left. */
class Asker {
  readonly #port: number
  readonly #name: string
  readonly #random: SeededRandom
  readonly #tally: Tally
  #client: RawClient | null = null
  #uses = 0
  #asked = 0

  constructor(port: number, name: string, parts: { random: SeededRandom; tally: Tally }) {
    this.#port = port
    this.#name = name
    this.#random = parts.random
    this.#tally = parts.tally
  }

  /** Asks once, or several times in one write; returns how often. */
  async ask(): Promise<number> {
    const client = await this.#connection()
    const count = this.#random.chance(0.2) ? 3 : 1
    const requests = Array.from({ length: count }, () => this.#request())
    await client.send(Buffer.concat(requests.map(({ bytes }) => bytes)))
    const leavesAt = this.#random.chance(0.15) ? this.#random.between(0, count - 1) : null
    for (const [index, { tag, stream }] of requests.entries()) {
      const answer = await client.response(5_000)
      this.#tally.answeredIds.add(idOf(tag))
      if (index === leavesAt) {
        const part = answer.status === 200 ? contentOf(answer, stream) : ''
        expect(tag.startsWith(part), `whether ${part} is part of the answer to ${tag}`).toBe(true)
        this.leave()
        this.#tally.left += count - index
        break
      }
      await answer.over(5_000)
      this.#look(answer, { tag, stream })
    }
    return count
  }

  leave(): void {
    this.#client?.resetAndDestroy()
    this.#client = null
  }

  #look(answer: HttpMessage, { tag, stream }: { tag: string; stream: boolean }): void {
    if (answer.status === 200) {
      expect([answer.complete, contentOf(answer, stream)]).toEqual([true, tag])
      expect(answer.header('x-request-id')).toBe(idOf(tag))
      this.#tally.whole += 1
      return
    }
    expect([answer.status, answer.complete, errorOf(answer).type]).toEqual([502, true, 'upstream_error'])
    expect(answer.header('x-request-id')).toBe(idOf(tag))
    this.#tally.failed += 1
  }

  #request(): { tag: string; stream: boolean; bytes: Buffer } {
    this.#asked += 1
    const tag = `${this.#name}-${this.#asked} ${'and more '.repeat(this.#random.between(0, 4))}of ${this.#name}`
    const stream = this.#random.chance(0.6)
    const body = { model, stream, messages: [{ role: 'user', content: tag }] }
    return { tag, stream, bytes: jsonRequestBytes('/v1/chat/completions', body, { 'x-request-id': idOf(tag) }) }
  }

  async #connection(): Promise<RawClient> {
    this.#uses += 1
    if (this.#client !== null && this.#uses % usesMax === 0) {
      this.#client.close()
      this.#client = null
    }
    this.#client ??= await RawClient.open(this.#port)
    return this.#client
  }
}

const idOf = (tag: string): string => tag.split(' ')[0] ?? ''

/** The text of an answer, or of as much of it as is there. */
function contentOf(answer: HttpMessage, stream: boolean): string {
  const { text } = answer
  if (!stream) {
    if (!answer.complete) return ''
    return (JSON.parse(text) as { choices: { message: { content: string } }[] }).choices[0]?.message.content ?? ''
  }
  const whole = text.slice(0, text.lastIndexOf('\n\n') + 1)
  return [...whole.matchAll(/^data: (\{.*\})$/gm)]
    .map(([, json = '']) => (JSON.parse(json) as { choices: { delta: { content?: string } }[] }).choices[0])
    .map((choice) => choice?.delta.content ?? '')
    .join('')
}

test('X30: each of many tagged prompts gets its own answer, whoever leaves, shares a connection or loses a host', async () => {
  const seed = 30
  const count = long ? 20_000 : 1_000
  const random = new SeededRandom(seed)
  const hosts = [
    await EchoHost.start({ drops: () => random.chance(0.03) }),
    await EchoHost.start({ drops: () => random.chance(0.03) }),
  ]
  for (const host of hosts) onTestFinished(() => host.close())
  const gateway = await startGateway({
    hosts: hosts.map(({ url }, index) => ({ name: `host-${index}`, url, kind: 'openai', slots: 12 })),
    probe: { everyMs: 600_000 },
  })
  onTestFinished(() => gateway.gateway.stop({ now: true }))
  const tally: Tally = { whole: 0, left: 0, failed: 0, answeredIds: new Set() }
  let asked = 0
  const askers = Array.from({ length: 32 }, (_, index) => {
    return new Asker(gateway.port, `asker-${index}`, { random: new SeededRandom(seed + index), tally })
  })
  const run = async (asker: Asker) => {
    while (asked < count) {
      const more = await asker.ask()
      asked += more
    }
    asker.leave()
  }
  await Promise.all(askers.map(run))
  expect(tally.whole + tally.left + tally.failed).toBe(asked)
  expect(tally.whole, `of ${asked}`).toBeGreaterThan(asked / 2)
  expect(tally.left).toBeGreaterThan(asked / 50)
  // What a host saw or a client had an answer to was accepted, and each has its line.
  const accepted = new Set([...tally.answeredIds, ...hosts.flatMap(({ requestIds }) => [...requestIds])])
  const lines = await gateway.outcomesOnce(accepted.size)
  const told = new Set(lines.map(({ fields }) => String(fields['requestId'])))
  expect([...accepted].filter((id) => !told.has(id))).toEqual([])
  // Beyond those, only what waited behind the answer at which its client left; some of that was never read.
  const others = lines.filter(({ fields }) => !accepted.has(String(fields['requestId'])))
  expect(others.filter(({ fields }) => fields['status'] !== 499 || fields['attempts'] !== 0)).toEqual([])
  expect(others.length).toBeLessThanOrEqual(tally.left)
  expect(told.size, 'one line for each').toBe(lines.length)
  await expectQuiet(gateway, { requests: accepted.size + others.length })
}, 600_000)

/** The gateway is a process of its own here: with 5,000 streams each side needs as many connections as a system gives one. */
test('S02: of many streams at two frames a second none loses a frame', async () => {
  const streams = long ? 5_000 : 200
  const words = long ? 20 : 6
  const hosts = await Promise.all(Array.from({ length: 5 }, () => EchoHost.start({ pieceMs: 500 })))
  for (const host of hosts) onTestFinished(() => host.close())
  const gateway = await GatewayChild.start({
    server: { port: 0 },
    admin: { port: 0 },
    hosts: hosts.map(({ url }, index) => ({
      name: `echo-${index}`,
      url,
      kind: 'openai',
      slots: streams / hosts.length,
    })),
    log: { format: 'json' },
  })
  onTestFinished(() => gateway.stop())
  const lines: string[] = []
  gateway.onLine = (line) => lines.push(`${line}\n`)
  const port = Number(new URL(gateway.dataUrl).port)
  const idleSockets = gateway.socketCount()
  const clients: RawClient[] = []
  onTestFinished(() => {
    for (const client of clients) client.close()
  })
  const texts = Array.from({ length: streams }, (_, index) =>
    Array.from({ length: words }, (_word, at) => `${promptCanary}.${index}.${at} `).join(''),
  )
  // A few at a time, as a listener takes them.
  for (let from = 0; from < streams; from += 100) {
    const batch = await Promise.all(texts.slice(from, from + 100).map(() => RawClient.open(port)))
    clients.push(...batch)
  }
  await Promise.all(
    clients.map((client, index) => {
      const messages = [{ role: 'user', content: texts[index] }]
      return client.send(jsonRequestBytes('/v1/chat/completions', { model, stream: true, messages }))
    }),
  )
  const answers = await Promise.all(clients.map((client) => client.response(60_000)))
  await Promise.all(answers.map((answer) => answer.over(120_000)))
  for (const [index, answer] of answers.entries()) {
    expect([answer.status, answer.complete, contentOf(answer, true)]).toEqual([200, true, texts[index]])
    expect(answer.text.endsWith(done)).toBe(true)
  }
  const page = await gateway.metrics()
  expect(sumOf(page, 'tokens_total', { type: 'output' })).toBe(streams * words)
  expect(sumOf(page, 'requests_total', { status: '200', end: '--' })).toBe(streams)
  expect([sumOf(page, 'open_streams'), sumOf(page, 'host_inflight')]).toEqual([0, 0])
  // A reader of the log that does not keep up with 5,000 ends at once loses lines, and is told how many.
  const dropped = sumOf(page, 'log_dropped_total')
  const told = () => lines.filter((line) => line.includes('"msg":"request"')).length
  await eventually(5_000, 'the lines of all requests', () => told() + dropped >= streams)
  expect(told() + dropped).toBe(streams)
  expectSoundEnd({ page, out: '', err: lines.join('') }, { requests: streams, dropped })
  expect(lines.filter((line) => !/"msg":"(?:request|Log lines were dropped)"/.test(line))).toEqual([])
  for (const client of clients) client.close()
  await within(20_000, 'the connections to clients to be closed', socketsBelow(gateway, idleSockets + streams + 10))
}, 300_000)

async function socketsBelow(gateway: GatewayChild, count: number): Promise<void> {
  while (gateway.socketCount() > count) await pause(50)
}
