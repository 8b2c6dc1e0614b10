/** What a prompt is guessed to take is charged until the host tells: a wrong guess moves no other key, whichever way it goes. */
import { describe, expect, it } from 'vitest'
import { knownHost } from '../../kit/known-hosts.ts'
import { type Asker, line } from './line.ts'

const guess = 100_000

it('a prompt that is guessed far too large makes nobody who comes wait for more than one answer of its key', () => {
  const { ask, granted } = line([knownHost('a', { slots: 4 })])
  for (let number = 1; number <= 10; number++) ask('m', { key: 'padded', tokens: { input: guess, output: 300 } })
  const newcomer = ask('m', { key: 'newcomer', tokens: { input: 10, output: 300 } })
  granted[0]?.lease?.bill.correct({ input: 10, cachedInput: 0, output: 300 })
  granted[0]?.lease?.release()
  expect(newcomer.lease).not.toBeNull()
})

describe('a key that came back while what it runs was guessed too large', () => {
  it.each([
    { how: 'the host tells', told: true },
    { how: 'nothing came of it', told: false },
  ])('goes in turn with others once $how', ({ told }) => {
    const { ask, granted } = line([knownHost('a', { slots: 2 })])
    const tokens = { input: 1_000, output: 0 }
    const guessed = ask('m', { key: 'guessed', tokens: { input: guess, output: 0 } })
    const steady: Asker[] = []
    for (let number = 1; number <= 150; number++) steady.push(ask('m', { key: 'steady', tokens }))
    for (const asker of steady.slice(0, 110)) asker.lease?.release()
    const returned: Asker[] = []
    for (let number = 1; number <= 20; number++) returned.push(ask('m', { key: 'guessed', tokens }))
    if (told) guessed.lease?.bill.correct({ input: 100, cachedInput: 0, output: 0 })
    else guessed.lease?.bill.refund()
    guessed.lease?.release()
    const from = granted.length
    for (let ended = from - 2; ended < from + 18; ended++) granted[ended]?.lease?.release()
    const next = granted.slice(from, from + 20)
    const own = next.filter((asker) => returned.includes(asker)).length
    expect(next).toHaveLength(20)
    expect(own).toBeGreaterThanOrEqual(9)
    expect(own).toBeLessThanOrEqual(11)
  })
})
