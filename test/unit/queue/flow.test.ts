/** Whose requests were seen is remembered within bounds, however many strangers come by. */
import { describe, expect, it } from 'vitest'
import { Flows } from '../../../src/queue/flow.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { line } from './line.ts'

const idsOf = (flows: Flows): string[] => [...flows].map(({ id }) => id)
const holder = (id: string) => ({ id, name: id, weight: 1 })

describe('flows that neither wait nor run', () => {
  const host = knownHost('a')

  it('are kept up to a number, and the longest idle is forgotten first', () => {
    const flows = new Flows(2)
    for (let number = 1; number <= 6; number++) {
      const flow = flows.of(holder(`key ${number}`))
      flows.granted(flow, host)
      flows.released(flow)
    }
    expect(idsOf(flows)).toEqual(['key 5', 'key 6'])
  })

  it('begin to be idle anew whenever they had a slot', () => {
    const flows = new Flows(2)
    for (const id of ['a', 'b', 'a', 'c']) {
      const flow = flows.of(holder(id))
      flows.granted(flow, host)
      flows.released(flow)
    }
    expect(idsOf(flows)).toEqual(['a', 'c'])
  })

  it('are never those that run or wait', () => {
    const flows = new Flows(1)
    flows.granted(flows.of(holder('runs')), host)
    flows.of(holder('waits')).waiting = 1
    for (const id of ['a', 'b', 'c', 'runs', 'waits']) flows.rests(flows.of(holder(id)))
    expect(idsOf(flows)).toEqual(['runs', 'waits', 'c'])
  })
})

describe('a line keeps no more of strangers than it is to remember', () => {
  const strangers = 12_000
  const rememberedMax = 10_002

  it.each([
    { what: 'began to wait and left', lengthMax: 1_000 },
    { what: 'were refused', lengthMax: 1 },
  ])('that $what', ({ lengthMax }) => {
    const { ask, dispatcher } = line([knownHost('a', { slots: 1 })], { lengthMax })
    ask()
    ask()
    for (let number = 1; number <= strangers; number++) ask('m', { key: `stranger ${number}` }).turn.leave()
    expect(dispatcher.length).toBe(1)
    expect([...dispatcher.flows()].length).toBeLessThanOrEqual(rememberedMax)
  })
})
