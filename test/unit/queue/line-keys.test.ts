/** Keys against each other: turns by tokens and weight, and nobody is better or worse off for having stayed away. */
import { describe, expect, it } from 'vitest'
import type { Lease } from '../../../src/queue/lease.ts'
import type { Asker } from './line.ts'
import { namedLine, oneSlot, type Sent, served } from './named-line.ts'

describe('between keys', () => {
  const floods = (
    send: (name: string, sent: Sent) => Asker,
    keys: readonly (Sent & { key: string })[],
    count: number,
  ) => {
    for (const { key, ...sent } of keys) for (let number = 0; number < count; number += 1) send(key, { key, ...sent })
  }
  const shareOf = (names: readonly string[], key: string) => names.filter((name) => name === key).length

  it('they take turns by tokens: a prompt of ten times as many is served a tenth as often', () => {
    const { send, serveAll } = namedLine(oneSlot())
    send('running')
    floods(
      send,
      [
        { key: 'large', tokens: 1_000 },
        { key: 'small', tokens: 100 },
      ],
      110,
    )
    const first = serveAll().slice(0, 110)
    expect(shareOf(first, 'large')).toBe(10)
    expect(shareOf(first, 'small')).toBe(100)
  })

  it('a key of weight 2 is served twice the tokens of one of weight 1', () => {
    const { send, serveAll } = namedLine(oneSlot())
    send('running')
    floods(
      send,
      [
        { key: 'heavy', tokens: 100, weight: 2 },
        { key: 'light', tokens: 100, weight: 1 },
      ],
      60,
    )
    const first = serveAll().slice(0, 60)
    expect(shareOf(first, 'heavy')).toBe(40)
    expect(shareOf(first, 'light')).toBe(20)
  })

  it('what was generated counts twice, and what was refunded not at all', () => {
    const orderAfter = (charge: (bill: Lease['bill']) => void): string[] => {
      const { send, serveAll } = namedLine(oneSlot())
      const { lease } = send('running', { key: 'writer' })
      send('reader 1', { key: 'reader', tokens: 150 })
      send('reader 2', { key: 'reader' })
      send('writer', { key: 'writer' })
      if (lease !== null) charge(lease.bill)
      return serveAll()
    }
    expect(orderAfter((bill) => bill.generated(70))).toEqual(['reader 1', 'writer', 'reader 2'])
    expect(orderAfter((bill) => bill.generated(80))).toEqual(['reader 1', 'reader 2', 'writer'])
    const refunded = orderAfter((bill) => {
      bill.generated(80)
      bill.refund()
    })
    expect(refunded).toEqual(['reader 1', 'writer', 'reader 2'])
  })

  it('nobody saves up by staying away', () => {
    const { send, serveAll } = namedLine(oneSlot())
    const early = send('sleeper', { key: 'sleeper', tokens: 1 })
    early.lease?.release()
    for (let number = 0; number < 10; number += 1) served(send, 'worker', 100).lease?.release()
    served(send, 'worker', 100)
    floods(
      send,
      [
        { key: 'worker', tokens: 100 },
        { key: 'sleeper', tokens: 100 },
      ],
      6,
    )
    const first = serveAll().slice(0, 6)
    expect(shareOf(first, 'worker')).toBeGreaterThanOrEqual(2)
  })

  it('nobody owes for what it had of an idle fleet', () => {
    const { send, serveAll } = namedLine(oneSlot())
    for (let number = 0; number < 50; number += 1) served(send, 'worker', 1_000).lease?.release()
    served(send, 'worker', 100)
    floods(
      send,
      [
        { key: 'newcomer', tokens: 100 },
        { key: 'worker', tokens: 100 },
      ],
      10,
    )
    const first = serveAll().slice(0, 10)
    expect(shareOf(first, 'worker')).toBeGreaterThanOrEqual(4)
  })

  it('a key that leaves the line and returns is no better off', () => {
    const { send, order } = namedLine(oneSlot())
    const running = served(send, 'busy', 1_000)
    const next = send('quiet', { key: 'quiet', tokens: 10 })
    send('quiet 2', { key: 'quiet', tokens: 10 })
    send('busy 1', { key: 'busy' }).turn.leave()
    send('busy 2', { key: 'busy' })
    running.lease?.release()
    expect(order().at(-1)).toBe('quiet')
    next.lease?.release()
    expect(order().at(-1)).toBe('quiet 2')
  })

  it('in the order first-come whoever came first goes first, whosever it is and whatever it was served', () => {
    const { send, serveAll } = namedLine(oneSlot(), { order: 'first-come' })
    served(send, 'busy', 100_000)
    for (const number of [1, 2, 3]) send(`busy ${number}`, { key: 'busy', tokens: 1_000 })
    send('quiet', { key: 'quiet' })
    expect(serveAll()).toEqual(['busy 1', 'busy 2', 'busy 3', 'quiet'])
  })
})
