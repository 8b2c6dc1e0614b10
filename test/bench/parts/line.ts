/** What the line itself costs, without sockets. */
import { lineFigures } from '../line-figures.ts'
import type { BenchPart } from './part.ts'
import { aloneRow } from './part.ts'

/** They differ little. */
const roundsMax = 3

export const linePart: BenchPart = {
  name: 'line',
  words: 'the line alone and with the dispatcher around it, at several lengths, 200 keys',
  run: async ({ rounds, waiting, steps, cores, say }) =>
    (await lineFigures({ rounds: Math.min(rounds, roundsMax), waiting, steps }, { core: cores.gateway, say })).map(
      ({ name, waiting: length, ...figure }) => aloneRow({ ...figure, name: `${name}, ${length} waiting` }),
    ),
}
