/** Which ends of a request are not its owner's doing, so that what it reserved in vain costs its owner nothing. */
import { expect, test } from 'vitest'
import { type Caller, noLimitTurn, type Settlement, unknownCaller } from '../../../src/relay/caller.ts'
import type { EndCode } from '../../../src/relay/outcome.ts'
import { RequestAccount } from '../../../src/relay/request-account.ts'
import { endpoints } from '../../../src/wire/endpoints.ts'
import { readJsonBody } from '../../../src/wire/request-body.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { outcome } from '../../kit/scripted-sources.ts'

const phases = ['R', 'A', 'Q', 'C', 'H', 'F', 'D', 'L'] as const
const ends: readonly EndCode[] = [
  '--',
  ...(['C', 'c', 'U', 'u', 'G', 'R', 'A'] as const).flatMap((who) => phases.map((phase): EndCode => `${who}${phase}`)),
]

/** As its caller's limits are told. */
function isBlameless(end: EndCode): boolean {
  const told: Settlement[] = []
  const admission = {
    promptEstimate: 10,
    outputReserved: 10,
    topUp: () => 10,
    settle: (_used: unknown, how: Settlement) => told.push(how),
  }
  const caller: Caller = {
    ...unknownCaller,
    admit: (_ask, turn) => {
      turn.admitted(admission)
      return noLimitTurn
    },
  }
  const account = new RequestAccount(
    { ledger: { admitted: () => {}, settled: () => {} }, clock: new FakeClock(), costOf: () => null },
    {
      record: { id: 'r', requestId: 'r' },
      caller,
      endpoint: endpoints[0]!,
      progress: () => ({ host: null, modelAtHost: null, sent: false, frames: 0 }),
      estimated: () => {},
      admitted: () => {},
      fault: (error) => {
        throw error
      },
    },
  )
  const body = readJsonBody(Buffer.from('{"model":"m","messages":[]}'), { choicesMax: 4, messagesMax: 4 })
  account.admit(body, 'default', 0)
  account.settle(outcome({ end }), null)
  expect(told).toHaveLength(1)
  return told[0]!.blameless
}

test('what ends in the line or before a host had it is its owner’s doing, but for a shutdown', () => {
  const early = ends.filter((end) => 'RAQC'.includes(end.charAt(1)) && isBlameless(end))
  expect(early).toEqual(['AR', 'AA', 'AQ', 'AC'])
})

test('what was at a host is its owner’s doing where its client left, or met a rule, or had its answer', () => {
  const blamed = ends.filter((end) => 'HFDL-'.includes(end.charAt(1)) && !isBlameless(end))
  expect(blamed).toEqual(['--', 'CH', 'CF', 'CD', 'CL', 'cH', 'cF', 'cD', 'cL', 'GH', 'GF', 'GD', 'GL'])
})
