/** `why`: why one request went where it did, or what it waits for. */
import type { AdminClient } from '../admin-client.ts'
import type { Command } from '../command.ts'
import { inPath, jsonFlag, tell } from '../gateway-answer.ts'
import { gatewayFlags, gatewayNotes, withGateway } from '../running-gateway.ts'
import { type WaitingNow, whyText } from '../why-text.ts'

/** The most that the admin API lists of those who wait. */
const waitingMax = 1_000

export const why: Command = {
  name: 'why',
  summary:
    'Tells why one request went to its host: the hosts it was chosen of, what was known of each, and how true it was',
  operand: 'ID',
  flags: [jsonFlag, ...gatewayFlags],
  notes: [
    'ID is the one that requests list and the access log have, or the one that its client has (x-request-id): then it is the',
    'newest of that id. Of each place: whether a slot is free or when one is, how long the model loads, the tokens of the',
    'prompt that it is likely to have in its cache, how long it reads (what is before it, too), when the first token is to',
    'come, its requests, the tokens that it has to read and to write for them, its speed, and what the policy made of that:',
    'the lowest score wins. How many choices are kept is balancing.decisionsMax, how many requests log.recentRequestsMax.',
    '',
    ...gatewayNotes,
  ],
  run: (flags, io, id) =>
    withGateway(flags, io, async (gateway) => {
      const { requestSchema } = await import('../../http/admin/requests-schema.ts')
      const answer = await gateway.askFor(requestSchema, 'GET', `requests/${inPath(id, 'request')}`)
      const { live } = answer
      const waiting = live?.phase === 'line' ? await placeInLine(gateway, live) : null
      return tell(flags, io, { answer: { ...answer, waiting }, text: whyText(answer, waiting) })
    }),
}

/** Null where it waits no more, or is not among the first. */
async function placeInLine(
  gateway: AdminClient,
  { id, key, keyId }: { readonly id: string; readonly key: string; readonly keyId: string | null },
): Promise<WaitingNow | null> {
  const { lineViewSchema } = await import('../../queue/line-view-schema.ts')
  const query = new URLSearchParams({ count: String(waitingMax), key: keyId ?? key })
  const { requests } = await gateway.askFor(lineViewSchema, 'GET', `queue?${query.toString()}`)
  return requests.find((one) => one.id === id) ?? null
}
