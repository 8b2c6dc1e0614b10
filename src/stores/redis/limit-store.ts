/** The limits that several gateways share, in Redis. */
import type { AccountRecord } from '../../access/limit-records.ts'
import type { AskAnswer, LimitBatch, LimitReply, LimitStore } from '../../access/shared-limits.ts'
import { limitScript } from './limit-script.ts'
import type { RedisLink } from './link.ts'

export interface RedisLimitStoreOptions {
  readonly answerMsMax: number
  readonly goneAfterMs: number
}

export class RedisLimitStore implements LimitStore {
  readonly #link: RedisLink
  readonly #options: RedisLimitStoreOptions

  constructor(link: RedisLink, options: RedisLimitStoreOptions) {
    this.#link = link
    this.#options = options
  }

  get answerMsMax(): number {
    return this.#options.answerMsMax
  }

  async charge(batch: LimitBatch, answerMsMax: number): Promise<LimitReply | null> {
    const link = this.#link
    const accounts = batch.accounts.map(({ kind, id }) => link.key(`limits:${kind}:${id}`))
    const keys = [link.key('epoch'), link.key('alive'), link.key(`limits:done:${batch.id}`), ...accounts]
    const atOnce = batch.accounts.some(({ limits }) => limits.concurrentRequests !== undefined)
    const told = JSON.stringify({ ...batch, atOnce, goneAfterMs: this.#options.goneAfterMs })
    const reply = await link.run(limitScript, keys, [told], { answerMsMax })
    if (reply === null) return null
    return {
      nowMs: reply.nowMs,
      epoch: reply.epoch,
      answers: reply.answers === '' ? [] : read(reply.answers, isAnswers),
      accounts: reply.accounts.map((text) => (text === '' ? null : read(text, isAccount))),
    }
  }
}

/** Of the script, and of nobody else. */
function read<T>(text: string, is: (value: unknown) => value is T): T {
  const value: unknown = JSON.parse(text)
  if (is(value)) return value
  throw new TypeError('no answer of the script of limits')
}

function isAnswers(value: unknown): value is AskAnswer[] {
  return Array.isArray(value)
}

function isAccount(value: unknown): value is AccountRecord {
  return typeof value === 'object' && value !== null && 'minute' in value
}
