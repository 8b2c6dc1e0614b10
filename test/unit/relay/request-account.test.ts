/** Which ends of a request are not its owner's doing, so that what it reserved in vain costs its owner nothing. */
import { expect, test } from 'vitest'
import type { EndCode } from '../../../src/relay/outcome.ts'
import { isBlameless } from '../../../src/relay/request-account.ts'

const phases = ['R', 'A', 'Q', 'C', 'H', 'F', 'D', 'L'] as const
const ends: readonly EndCode[] = [
  '--',
  ...(['C', 'c', 'U', 'u', 'G', 'R', 'A'] as const).flatMap((who) => phases.map((phase): EndCode => `${who}${phase}`)),
]

test('what ends in the line or before a host had it is its owner’s doing, but for a shutdown', () => {
  const early = ends.filter((end) => 'RAQC'.includes(end.charAt(1)) && isBlameless(end))
  expect(early).toEqual(['AR', 'AA', 'AQ', 'AC'])
})

test('what was at a host is its owner’s doing where its client left, or met a rule, or had its answer', () => {
  const blamed = ends.filter((end) => 'HFDL-'.includes(end.charAt(1)) && !isBlameless(end))
  expect(blamed).toEqual(['--', 'CH', 'CF', 'CD', 'CL', 'cH', 'cF', 'cD', 'cL', 'GH', 'GF', 'GD', 'GL'])
})
