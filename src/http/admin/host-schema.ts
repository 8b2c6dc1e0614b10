/** Hosts as the admin API takes and answers them when the fleet is changed; the command line checks by it what another machine says. */
import { z } from 'zod'

export const hostAddedSchema = z.strictObject({
  name: z.string(),
  url: z.string(),
  until: z.literal('restart').describe('It is in no file: to keep it, add it to the configuration'),
})

export const hostRemovedSchema = z.strictObject({
  name: z.string(),
  running: z.int().min(0).describe('Requests that go on there and end as they will; nothing new begins'),
  isConfigured: z
    .boolean()
    .describe('The configuration has it, too: it stays away until the gateway starts again, or it is added again'),
})

export const configReloadSchema = z.strictObject({
  file: z.string().nullable().describe('Null where there is none'),
  changed: z.array(z.string()).describe('Settings that hold from now on'),
  waiting: z.array(z.string()).describe('Settings that hold once the gateway starts again'),
  hostsJoined: z.array(z.string()),
  hostsLeft: z.array(z.string()).describe('What runs there goes on'),
  hostsChanged: z.array(z.string()).describe('With other settings: what runs there goes on'),
  notes: z.array(z.string()),
})
