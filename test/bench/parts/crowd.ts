/** Thousands of clients that send a request and wait (crowd-clients.ts), as a part of the benchmark sees them. */
import type { RunningProcess } from '../../kit/child-process.ts'
import { answerOf, startHelper } from '../children.ts'
import type { Target } from '../targets/target.ts'

export interface OpenOrder {
  readonly url: string
  readonly key: string | null
  readonly count: number
  readonly bodyBytes: number
  readonly stream: boolean
  readonly tokens: number
  /** False: takes the first piece, and reads no more. */
  readonly reads: boolean
}

export type CrowdOrder =
  | ({ readonly ask: 'open' } & OpenOrder)
  /** So many destroy their connections in one turn. */
  | { readonly ask: 'leave'; readonly count: number }
  /** All who did not, read from now on. */
  | { readonly ask: 'read' }
  | { readonly ask: 'state' }

export interface CrowdState {
  readonly open: number
  /** That came to all of them so far. */
  readonly bytes: number
  /** Answered with anything but 200, and the first of those answers. */
  readonly refused: number
  readonly firstRefusal: string
}

export type CrowdRequest = Partial<Pick<OpenOrder, 'bodyBytes' | 'stream' | 'tokens' | 'reads'>>

const askMsMax = 300_000

export class Crowd implements AsyncDisposable {
  readonly #clients: RunningProcess

  constructor(core: string | null) {
    this.#clients = startHelper(core, 'parts/crowd-clients.ts')
  }

  /** Resolves when all of them have sent their requests; rejects where one was refused by then. */
  async open({ url, key }: Pick<Target, 'url' | 'key'>, count: number, request: CrowdRequest = {}): Promise<void> {
    const usual = { bodyBytes: 2_048, stream: false, tokens: 1, reads: true }
    orFail(await this.#tell({ ask: 'open', url, key, count, ...usual, ...request }))
  }

  leave(count: number): Promise<CrowdState> {
    return this.#tell({ ask: 'leave', count })
  }

  read(): Promise<CrowdState> {
    return this.#tell({ ask: 'read' })
  }

  /** Rejects where one was refused. */
  async state(): Promise<CrowdState> {
    return orFail(await this.#tell({ ask: 'state' }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#clients[Symbol.asyncDispose]()
  }

  #tell(order: CrowdOrder): Promise<CrowdState> {
    return answerOf<CrowdState>(this.#clients, order, askMsMax)
  }
}

function orFail(state: CrowdState): CrowdState {
  if (state.refused > 0) throw new Error(`${state.refused} of a crowd were refused: ${state.firstRefusal}`)
  return state
}
