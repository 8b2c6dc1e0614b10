/** Whether the terminal of a program was closed. */
import { expect, test } from 'vitest'
import { watchTerminal } from '../../../src/cli/terminal.ts'

const there = (): void => {}
const gone = (): never => {
  throw new Error('ENXIO')
}

test.each([
  ['on a terminal that is there', [{ isTTY: true }, {}], there, false],
  ['on a terminal that was closed', [{}, { isTTY: true }], gone, true],
  ['a service, which has none', [{}, {}], gone, false],
  ['in the background of a terminal, all of its streams elsewhere', [{ isTTY: false }], there, false],
])('%s', (_name, streams, open, isClosed) => {
  expect(watchTerminal(streams, open)()).toBe(isClosed)
})
