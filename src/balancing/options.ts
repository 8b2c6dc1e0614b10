/** Options of choosing a host. */
import { z } from 'zod'
import { count } from '../base/option-types.ts'

export const policyNames = [
  'fastest',
  'lmetric',
  'least-busy',
  'random-two',
  'round-robin',
  'weighted',
  'sticky',
] as const
export type PolicyName = (typeof policyNames)[number]

export const prefixScopes = ['system', 'key', 'all'] as const

export const balancingOptions = z.strictObject({
  policy: z.enum(policyNames).default('fastest').describe('How a host is chosen among those that could serve'),
  prefixes: z
    .strictObject({
      enabled: z
        .boolean()
        .default(true)
        .describe('Which host has read the beginning of a prompt before, and so need not read it again, is remembered'),
      scope: z
        .enum(prefixScopes)
        .default('system')
        .describe(
          'Whose prompts count: of each key its own messages, behind tools and words of the system that all have in common (system); its own alone (key); or those of all (all), by which a key can find out what another one has sent',
        ),
      perHostMax: count
        .max(1_000_000)
        .default(20_000)
        .describe(
          'Beginnings of prompts that are remembered of each host and model: some 50 bytes of memory each. The first sixteen messages of a prompt have one each, then each kB or more',
        ),
    })
    .prefault({}),
  decisionsMax: count
    .max(100_000)
    .default(1_000)
    .describe(
      'Last choices of a host that GET /admin/decisions can tell of, in memory: 1 kB each before three hosts, 3 kB before sixteen',
    ),
})

export type BalancingOptions = z.infer<typeof balancingOptions>
