/** Clients for the demo: a steady mix of streamed and whole answers, short and long prompts, and some who leave early. */

const clients = 8
const minutesMax = 10
/** Between two requests of a client: people read what they got. */
const pauseMsMax = 3_000

export class DemoLoad {
  readonly #models: readonly string[]
  readonly #stop = new AbortController()

  constructor(models: readonly string[]) {
    this.#models = models
  }

  start(baseUrl: string): void {
    console.log(`Load: ${clients} clients for ${minutesMax} minutes.`)
    const timer = setTimeout(() => this.stop(), minutesMax * 60_000)
    timer.unref()
    for (let client = 0; client < clients; client++) void this.#client(baseUrl)
  }

  stop(): void {
    this.#stop.abort()
  }

  async #client(baseUrl: string): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await pause(Math.random() * pauseMsMax, this.#stop.signal)
      // A refusal or a break is part of the picture: the gateway's own log tells of it.
      await this.#request(baseUrl).catch(() => {})
    }
  }

  async #request(baseUrl: string): Promise<void> {
    const leavesEarly = Math.random() < 0.05
    const leave = AbortSignal.timeout(leavesEarly ? 1_500 : 120_000)
    const response = await fetch(`${baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: this.#models[Math.floor(Math.random() * this.#models.length)],
        stream: Math.random() < 0.8,
        max_tokens: 20 + Math.floor(Math.random() * 60),
        messages: [{ role: 'user', content: 'Tell me a story. '.repeat(1 + Math.floor(Math.random() ** 3 * 200)) }],
      }),
      signal: AbortSignal.any([leave, this.#stop.signal]),
    })
    await response.arrayBuffer()
  }
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
