/** Clients that ask one request after the other, and note how each of them ended. */
import { Agent, type IncomingMessage, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type { ClientGroup } from './load.ts'
import { type Outcome, type SeenRequest, unixMs } from './seen.ts'

const leavesAfterMs = [40, 400] as const
/** So that nobody who cannot be served asks without a pause. */
const leastPauseMs = 20

export class Clients {
  readonly seen: SeenRequest[] = []
  readonly counts: Record<string, Partial<Record<Outcome, number>>> = {}
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
  readonly #running: Promise<void>[] = []
  #stopped = false

  begin(groups: readonly ClientGroup[], url: string): void {
    for (const group of groups) {
      for (let at = 0; at < group.clients; at += 1) this.#running.push(this.#client(group, url, at))
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#running)
    this.#agent.destroy()
  }

  async #client(group: ClientGroup, url: string, index: number): Promise<void> {
    // Not all in one moment.
    await pause(index * 7)
    for (let turn = 0; !this.#stopped; turn += 1) {
      const seen = this.#sent(group)
      await this.#answered(group, url, seen, lengthIn(group.tokens, index + turn), leavesIn(group, index + turn))
      seen.endedMs ??= unixMs()
      const waitMs = group.pauseMs ?? 0
      await pause(seen.outcome === 'whole' ? waitMs : Math.max(leastPauseMs, waitMs))
    }
  }

  #sent({ name, key }: ClientGroup): SeenRequest {
    const seen: SeenRequest = {
      id: `${name}-${this.seen.length}`,
      group: name,
      key,
      sentMs: unixMs(),
      status: null,
      endedMs: null,
      outcome: null,
      code: null,
      output: 0,
    }
    this.seen.push(seen)
    return seen
  }

  #count({ group, outcome }: SeenRequest): void {
    if (outcome === null) return
    const counts = (this.counts[group] ??= {})
    counts[outcome] = (counts[outcome] ?? 0) + 1
  }

  #answered(
    group: ClientGroup,
    url: string,
    seen: SeenRequest,
    tokens: number,
    leaveAfterMs: number | null,
  ): Promise<void> {
    return new Promise((resolve) => {
      const asked = request(`${url}/v1/chat/completions`, {
        method: 'POST',
        agent: this.#agent,
        headers: {
          authorization: `Bearer ${group.secret}`,
          'content-type': 'application/json',
          'x-request-id': seen.id,
        },
      })
      let timer: NodeJS.Timeout | undefined
      const ends = (change: Partial<SeenRequest>): void => {
        if (seen.outcome !== null) return
        Object.assign(seen, change, { endedMs: unixMs() })
        this.#count(seen)
        clearTimeout(timer)
        resolve()
      }
      if (leaveAfterMs !== null) {
        timer = setTimeout(() => {
          ends({ outcome: 'left' })
          asked.destroy()
        }, leaveAfterMs)
      }
      asked.on('error', (error: NodeJS.ErrnoException) =>
        ends({ outcome: 'failed', code: error.code ?? error.message }),
      )
      asked.on('response', (answer) => read(answer, seen, ends))
      asked.end(JSON.stringify(bodyOf(group, tokens)))
    })
  }
}

function read(answer: IncomingMessage, seen: SeenRequest, ends: (change: Partial<SeenRequest>) => void): void {
  let text = ''
  seen.status = answer.statusCode ?? null
  answer.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
    seen.output = tokensIn(text)
  })
  answer.on('error', (error: NodeJS.ErrnoException) => ends({ outcome: 'cut', code: error.code ?? error.message }))
  answer.on('end', () => {
    const code = /"code": ?"(\w+)"/.exec(text)?.[1] ?? null
    // Whoever must not have been refused is told of with all that he was told.
    if (answer.statusCode !== 200) ends({ outcome: 'refused', code: answer.statusCode === 429 ? code : text })
    else if (isWhole(text)) ends({ outcome: 'whole' })
    else ends({ outcome: 'cut', code: code ?? 'without its end' })
  })
}

/** The words of a double's answer are w0, w1 and so on. */
function tokensIn(text: string): number {
  if (!text.startsWith('{')) return text.match(/"content": ?"w\d+/g)?.length ?? 0
  const content = /"content": ?"([^"]*)"/.exec(text)?.[1] ?? ''
  return content === '' ? 0 : content.trim().split(' ').length
}

function isWhole(text: string): boolean {
  return text.startsWith('{') ? text.includes('"finish_reason"') : text.endsWith('data: [DONE]\n\n')
}

function bodyOf({ model, stream, promptWords = 8 }: ClientGroup, tokens: number): object {
  const content = Array.from({ length: promptWords }, (_, at) => `word${at % 10}`).join(' ')
  return { model, stream, max_tokens: tokens, messages: [{ role: 'user', content }] }
}

function lengthIn([least, most]: ClientGroup['tokens'], turn: number): number {
  return least + ((turn * 17) % (most - least + 1))
}

function leavesIn({ oneLeftOf }: ClientGroup, turn: number): number | null {
  if (oneLeftOf === undefined || turn % oneLeftOf !== 0) return null
  const [least, most] = leavesAfterMs
  return least + ((turn * 31) % (most - least))
}
