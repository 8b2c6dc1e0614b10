/** What choosing a host costs, without sockets. */
import { choosingFigures } from '../choosing-figures.ts'
import type { BenchPart } from './part.ts'
import { aloneRow } from './part.ts'

/** They differ little. */
const roundsMax = 3

export const choosingPart: BenchPart = {
  name: 'choosing',
  words: 'choosing one of 16 hosts that remember 10,000 prompts',
  run: async ({ rounds, steps, cores, say }) =>
    (await choosingFigures({ rounds: Math.min(rounds, roundsMax), steps }, { core: cores.gateway, say })).map(
      (figure) => aloneRow({ ...figure, name: `choosing: ${figure.name}` }),
    ),
}
