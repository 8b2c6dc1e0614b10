/** When a request is made of a body that has come. */
import { describe, expect, test } from 'vitest'
import { Inbound, type InboundOwner } from '../../../src/relay/inbound.ts'
import { untimedWork } from '../../../src/relay/own-work.ts'
import type { RelayParts } from '../../../src/relay/relay-parts.ts'

function scene() {
  const turns: (() => void)[] = []
  const clock = { afterTurn: (callback: () => void) => void turns.push(callback) }
  const given: number[] = []
  const budget = { shareOf: () => ({ give: (bytes: number) => given.push(bytes) }) }
  const came: string[] = []
  const owner = {
    endpoint: { body: 'json' },
    caller: { holder: 'alice' },
    bodyCame: ({ model }: { model: string }) => came.push(model),
    bodyFailed: (error: Error) => came.push(error.message),
  }
  const parts = { options: {}, budget, clock } as unknown as RelayParts
  const inbound = new Inbound(parts, untimedWork, owner as unknown as InboundOwner)
  return { inbound, came, given, nextTurn: () => turns.shift()?.(), turns }
}

const bodyOf = (letters: number) => Buffer.from(JSON.stringify({ model: 'qwen', prompt: 'a'.repeat(letters) }))

describe('a body', () => {
  test('that is short is read in the turn in which it came', () => {
    const { inbound, came, turns } = scene()
    inbound.bodyRead(bodyOf(100_000))
    expect([came, turns]).toEqual([['qwen'], []])
  })

  test('that is long leaves a whole turn to others before', () => {
    const { inbound, came, nextTurn } = scene()
    inbound.bodyRead(bodyOf(300_000))
    // What is left of the turn in which it came.
    nextTurn()
    expect(came).toEqual([])
    nextTurn()
    expect(came).toEqual(['qwen'])
  })

  test('that is long is not read for one who has left meanwhile', () => {
    const { inbound, came, given, nextTurn } = scene()
    const body = bodyOf(300_000)
    inbound.bodyRead(body)
    nextTurn()
    inbound.release()
    nextTurn()
    expect([came, given]).toEqual([[], [body.length]])
  })
})
