/** What the rig keeps of notes, and which targets it has. */
import { expect, test } from 'vitest'
import { LocalRig } from '../../bench/local-rig.ts'
import { directMaker } from '../../bench/targets/direct.ts'

const rigOf = (makers = [directMaker]) =>
  new LocalRig({
    makers,
    cores: { gateway: null, load: null },
    rounds: 1,
    scale: 1,
    soakMinutes: 1,
    waiting: [],
    steps: 1,
    say: () => {},
  })

test('a note that differs in its numbers alone is kept once, with how often it was made; of another subject it is another', () => {
  const rig = rigOf()
  for (const text of ['2000 tokens/s: 1.4 in a read', '2000 tokens/s: 2.5 in a read', '6000 tokens/s: 1.4 in a read'])
    rig.note(text)
  expect(rig.notes).toEqual(['2000 tokens/s: 1.4 in a read (2 times)', '6000 tokens/s: 1.4 in a read'])
})

test('what is not installed is left out, with a word', () => {
  const rig = rigOf([directMaker, { ...directMaker, name: 'nginx', absentBecause: () => 'it is not installed' }])
  expect(rig.makers.map(({ name }) => name)).toEqual(['direct'])
  expect(rig.maker('nginx')).toBeNull()
  expect(rig.notes).toEqual(['without nginx: it is not installed'])
})
