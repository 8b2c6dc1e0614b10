/** Clients for the demo: a steady mix of streamed and whole answers, short and long prompts, and some who leave early. */
import { createParser } from 'eventsource-parser'

const clients = 8
const minutesMax = 10
const reportEveryS = 5
/** Between two requests of a client: people read what they got. */
const pauseMsMax = 3_000

/** What the clients saw since the last report. */
interface Tally {
  answered: number
  failed: number
  tokens: number
}

export class DemoLoad {
  readonly #models: readonly string[]
  readonly #stop = new AbortController()
  #tally: Tally = { answered: 0, failed: 0, tokens: 0 }

  constructor(models: readonly string[]) {
    this.#models = models
  }

  start(baseUrl: string): void {
    if (this.#stop.signal.aborted) return
    console.log(`Load: ${clients} clients for ${minutesMax} minutes, beginning now`)
    const end = setTimeout(() => this.stop(), minutesMax * 60_000)
    const reports = setInterval(() => this.#report(), reportEveryS * 1_000)
    this.#stop.signal.addEventListener('abort', () => {
      clearTimeout(end)
      clearInterval(reports)
      console.log('Load: stopped')
    })
    for (let client = 0; client < clients; client++) void this.#client(baseUrl)
  }

  stop(): void {
    this.#stop.abort()
  }

  #report(): void {
    const { answered, failed, tokens } = this.#tally
    this.#tally = { answered: 0, failed: 0, tokens: 0 }
    const requests = `${answered} request${answered === 1 ? '' : 's'} answered in ${reportEveryS} s`
    const failures = failed === 0 ? '' : `, ${failed} refused or broken`
    console.log(`Load: ${requests}${failures}, ${Math.round(tokens / reportEveryS)} tokens/s`)
  }

  async #client(baseUrl: string): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await pause(Math.random() * pauseMsMax, this.#stop.signal)
      if (this.#stop.signal.aborted) return
      const leave = AbortSignal.timeout(Math.random() < 0.05 ? 1_500 : 120_000)
      try {
        await this.#request(baseUrl, AbortSignal.any([leave, this.#stop.signal]))
      } catch {
        // Whoever leaves was not let down; all else is part of the picture, and the gateway's own log tells why.
        if (!leave.aborted && !this.#stop.signal.aborted) this.#tally.failed += 1
      }
    }
  }

  async #request(baseUrl: string, signal: AbortSignal): Promise<void> {
    const stream = Math.random() < 0.8
    const response = await fetch(`${baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: this.#models[Math.floor(Math.random() * this.#models.length)],
        stream,
        max_tokens: 20 + Math.floor(Math.random() * 60),
        messages: [{ role: 'user', content: 'Tell me a story. '.repeat(1 + Math.floor(Math.random() ** 3 * 200)) }],
      }),
      signal,
    })
    if (!response.ok || response.body === null) throw new Error(`refused with ${response.status}`)
    if (stream) await this.#readFrames(response.body)
    else this.#tally.tokens += ((await response.json()) as Answer).usage?.completion_tokens ?? 0
    this.#tally.answered += 1
  }

  /** The simulated hosts put each token into a frame of its own. */
  async #readFrames(body: ReadableStream<Uint8Array>): Promise<void> {
    let done = false
    const parser = createParser({
      onEvent: ({ data }) => {
        if (data === '[DONE]') done = true
        else if (((JSON.parse(data) as Answer).choices?.[0]?.delta?.content ?? '') !== '') this.#tally.tokens += 1
      },
    })
    const decoder = new TextDecoder()
    for await (const bytes of body) parser.feed(decoder.decode(bytes, { stream: true }))
    if (!done) throw new Error('the stream ended early')
  }
}

/** As much of an answer, or of a frame of it, as is counted. */
interface Answer {
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[]
  readonly usage?: { readonly completion_tokens?: number }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        resolve()
      },
      { once: true },
    )
  })
}
