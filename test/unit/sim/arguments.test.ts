/** The simulator's command line: what it takes, and the one sentence for what it does not. */
import { describe, expect, it } from 'vitest'
import { help, simArguments, UsageError } from '../../sim/arguments.ts'
import { placements } from '../../sim/fleet-simulation.ts'
import { simOrderNames } from '../../sim/orders.ts'
import { simPolicyNames } from '../../sim/policies.ts'
import { workloadNames } from '../../sim/workloads/workloads.ts'

describe('the command line', () => {
  it('without a word is the flood, with what that is for', () => {
    const given = simArguments([])
    expect(given.workloads).toEqual(['W4'])
    expect([given.orders, given.policies]).toEqual([null, null])
    expect(given.scale).toBe(1)
    expect(given.seeds).toEqual([1, 2, 3])
  })

  it.each([
    ['1-10', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
    ['7', [7]],
    ['1,4, 6-7,4', [1, 4, 6, 7]],
  ])('takes the seeds %s', (text, seeds) => {
    expect(simArguments(['--seeds', text]).seeds).toEqual(seeds)
  })

  it('is for one gateway, unless it says for how many', () => {
    expect(simArguments([]).fleet).toBeNull()
    const given = simArguments(['--replicas', '1,2,4-6', '--placement', 'by_key,mixed', '--without', 'counters'])
    expect(given.fleet).toEqual({
      replicas: [1, 2, 4, 5, 6],
      placements: ['by_key', 'mixed'],
      claims: true,
      counters: false,
    })
    expect(simArguments(['--replicas', '2', '--without', 'all']).fleet).toMatchObject({
      placements,
      claims: false,
      counters: false,
    })
  })

  it('takes names in any case, several of them, and all', () => {
    const given = simArguments(['--workload', 'w1,Adaptive', '--order', 'token-fair', '--policy', 'Sticky,random'])
    expect(given.workloads).toEqual(['W1', 'adaptive'])
    expect(given.orders).toEqual(['token-fair'])
    expect(given.policies).toEqual(['sticky', 'random'])
    expect(simArguments(['--order', 'all', '--policy', 'all'])).toMatchObject({
      orders: simOrderNames,
      policies: simPolicyNames,
    })
    expect(simArguments(['--workload', 'all']).workloads).toEqual([...workloadNames, 'adaptive'])
  })

  it.each([
    [['--seeds', '3-1'], '--seeds must be like 1-10 or 1,2,3, not "3-1".'],
    [['--seeds', ''], '--seeds must be like'],
    [['--seeds', '1-1001'], '--seeds must be like'],
    [['--workload', 'W0'], '--workload knows W1-0.5, '],
    [['--order', 'lottery'], '--order knows token-fair, '],
    [['--policy', 'lottery'], '--policy knows fastest, '],
    [['--scale', '0'], '--scale must be a number from 0.01 to 1000, not "0".'],
    [['--load', 'much'], '--load must be a number from 0.01 to 10, not "much".'],
    [['--requests', '1'], '--requests must be a number from 2'],
    [['--trace', 'x', '--workload', 'W1'], 'cannot be used together.'],
    [['--sedes', '1'], "Unknown option '--sedes'"],
    [['--replicas', '0'], '--replicas must be from 1 to 64, not "0".'],
    [['--replicas', '65'], '--replicas must be from 1 to 64, not "65".'],
    [['--replicas', 'two'], '--replicas must be like 1,2,4,8, not "two".'],
    [['--replicas', '2', '--placement', 'left'], '--placement knows random, by_key, mixed and all, not "left".'],
    [['--replicas', '2', '--without', 'slots'], '--without knows claims, counters and all, not "slots".'],
    [['--placement', 'random'], 'say how many with --replicas.'],
    [['--without', 'claims'], 'say how many with --replicas.'],
    [['--replicas', '2', '--order', 'all'], 'cannot be used together with --order, --policy or --trace.'],
    [['--seeds'], "Option '--seeds <value>' argument missing"],
    [['extra'], "Unexpected argument 'extra'"],
  ])('%j is refused in one sentence', (argv, sentence) => {
    const refused = () => simArguments(argv)
    expect(refused).toThrow(UsageError)
    expect(refused).toThrow(sentence)
    expect(refused).toThrow(/^[^\n]+\.$/)
  })
})

it('the help names every workload, order and policy', () => {
  for (const name of [...workloadNames, ...simOrderNames, ...simPolicyNames, 'adaptive']) expect(help).toContain(name)
})
