/** What the gateway adds to the way of a request and of each token, beside the same host asked directly, in alternating order. */
import { createServer, type ServerResponse } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { median } from '../bench/statistics.ts'
import { GatewayProcess } from '../kit/gateway-process.ts'
import { listen } from '../kit/servers.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const pairs = isLong ? 300 : 40
const tokens = 20
const tokenEveryMs = 4
const model = 'stamped'
/** Other tests run beside it: so many times the figure is what must hold here; the figure itself is printed. */
const leniency = 20
const figures = { firstTokenP50Ms: 5, firstTokenP99Ms: 20, frameP50Ms: 1 }

interface Delays {
  readonly firstTokenMs: number
  /** Of each frame, from its writing to its arrival. */
  readonly frameMs: readonly number[]
}

test('S16: beside the host itself, the gateway adds little to the first token and to each frame', async () => {
  const host = await startStampingHost()
  await using gateway = await GatewayProcess.start({ hosts: [{ name: 'a', url: host, kind: 'openai', slots: 4 }] })
  const ways = { direct: host, gateway: gateway.url }
  for (const url of Object.values(ways)) for (let warm = 0; warm < 10; warm++) await ask(url)

  const direct: Delays[] = []
  const relayed: Delays[] = []
  for (let pair = 0; pair < pairs; pair++) {
    const order = pair % 2 === 0 ? (['direct', 'gateway'] as const) : (['gateway', 'direct'] as const)
    for (const way of order) (way === 'direct' ? direct : relayed).push(await ask(ways[way]))
  }

  const added = relayed.map(({ firstTokenMs }, at) => firstTokenMs - (direct[at]?.firstTokenMs ?? 0))
  const frameP50Ms =
    median(relayed.flatMap(({ frameMs }) => frameMs)) - median(direct.flatMap(({ frameMs }) => frameMs))
  const firstTokenP50Ms = median(added)
  const firstTokenP99Ms = added.toSorted((a, b) => a - b)[Math.floor(0.99 * (pairs - 1))] ?? Number.NaN
  const measured = { firstTokenP50Ms, firstTokenP99Ms, frameP50Ms }
  process.stdout.write(`S16, ${pairs} pairs, added by the gateway: ${JSON.stringify(measured)}\n`)
  for (const [name, most] of Object.entries(figures)) {
    expect(measured[name as keyof typeof figures], name).toBeLessThan(most * leniency)
  }
})

/** Streams tokens that say when each was written. */
async function startStampingHost(): Promise<string> {
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      response.setHeader('content-type', 'application/json')
      response.end(
        JSON.stringify({ object: 'list', data: [{ id: model, object: 'model', created: 0, owned_by: 'x' }] }),
      )
      return
    }
    request.resume().on('end', () => stream(response))
  })
  const listening = await listen(server)
  onTestFinished(() => listening.close())
  return listening.url
}

function stream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  let left = tokens
  const timer = setInterval(() => {
    if (left-- > 0) response.write(frame({ delta: { content: `${performance.now()}` }, finish_reason: null }))
    else {
      clearInterval(timer)
      response.end(`${frame({ delta: {}, finish_reason: 'stop' })}data: [DONE]\n\n`)
    }
  }, tokenEveryMs)
  response.on('close', () => clearInterval(timer))
}

function frame(choice: object): string {
  return `data: ${JSON.stringify({ object: 'chat.completion.chunk', model, choices: [{ index: 0, ...choice }] })}\n\n`
}

async function ask(url: string): Promise<Delays> {
  const body = JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'Say when.' }] })
  const askedAtMs = performance.now()
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  const frameMs: number[] = []
  let firstTokenMs = Number.NaN
  for await (const bytes of response.body ?? []) {
    const nowMs = performance.now()
    for (const [, stamp] of Buffer.from(bytes)
      .toString()
      .matchAll(/"content":"([\d.]+)"/g)) {
      if (frameMs.length === 0) firstTokenMs = nowMs - askedAtMs
      frameMs.push(nowMs - Number(stamp))
    }
  }
  expect(frameMs).toHaveLength(tokens)
  return { firstTokenMs, frameMs }
}
