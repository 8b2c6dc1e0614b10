/** A server that answers fixed paths as one kind of inference server does, and writes down what it was asked. */

import { createServer } from 'node:http'
import type { HostKindName, HostModel } from '../../../src/hosts/kinds/host-kind.ts'
import type { SaidSignals } from '../../../src/hosts/signals.ts'
import { listen } from '../servers.ts'

export interface StubAnswer {
  readonly status: number
  readonly body: string
  /** Beside those of the plan. */
  readonly headers?: Readonly<Record<string, string>>
}

/** One kind of server: what it answers when all is well, and what the gateway should make of it. */
export interface StubPlan {
  readonly kind: HostKindName
  /** On every answer. */
  readonly headers: Readonly<Record<string, string>>
  /** By path and query. */
  readonly answers: Readonly<Record<string, StubAnswer>>
  /** What a path that the server does not have is answered with. */
  readonly unknownPath: (method: string, path: string) => StubAnswer
  /** The list that decides which models the host has. */
  readonly list: { readonly path: string; readonly member: 'data' | 'models'; readonly id: 'id' | 'name' }
  /** The path that tells whether the server is well, where it is not the list. */
  readonly healthPath: string | null
  readonly models: readonly HostModel[]
  readonly slots: number | undefined
  /** What it says of its load to one who has an admin key and requests there; absent where it has no such paths. */
  readonly signals?: SaidSignals
  /** Requests it says it is working on; absent where it does not say. */
  readonly running?: number
}

export interface StubServer extends AsyncDisposable {
  readonly url: string
  /** Every request so far, as `GET /path?query`. */
  readonly requests: readonly string[]
  /** Answers this path so from now on. */
  set(path: string, answer: StubAnswer): void
  /** The requests so far are not looked at any more. */
  forget(): void
  close(): Promise<void>
}

export async function startStub(plan: StubPlan): Promise<StubServer> {
  const requests: string[] = []
  const changed = new Map<string, StubAnswer>()
  const server = createServer((request, response) => {
    const { method = '', url = '' } = request
    requests.push(`${method} ${url}`)
    const known = method === 'GET' ? (changed.get(url) ?? plan.answers[url]) : undefined
    const { status, body, headers } = known ?? plan.unknownPath(method, url)
    response.writeHead(status, { ...plan.headers, ...headers }).end(body)
  })
  const listening = await listen(server)
  const close = () => listening.close()
  return {
    url: listening.url,
    requests,
    set: (path, answer) => changed.set(path, answer),
    forget: () => void requests.splice(0),
    close,
    [Symbol.asyncDispose]: close,
  }
}

export function json(value: unknown, status = 200): StubAnswer {
  return { status, body: JSON.stringify(value), headers: { 'content-type': 'application/json' } }
}
