/** What the words mean by which a choice of a host is explained: for README, and for people who ask. */
import type { LeftOut } from './decision.ts'
import type { RoutingReason } from './policy.ts'

/** Each completes: it was given this host, since … */
export const reasonMeanings: Readonly<Record<RoutingReason, string>> = {
  only_host: 'no other host could take it',
  only_free_host: 'no other host of its tier had a slot free for the model',
  prefix: 'this host has read the beginning of its prompt before, and need not read it again',
  session: 'by what its client calls the conversation, this host had the turn before',
  fastest: 'it is likely to be done there first, or to hold up others the least',
  least_prefill: 'this host has the least to read for it, by how many requests it has already',
  least_busy: 'this host had the fewest requests',
  less_busy_of_two: 'of two hosts that were drawn, this one had fewer requests',
  next_in_turn: 'it was the turn of this host',
  weight: 'this host was furthest behind the share that its weight gives it',
  sticky: 'its conversation belongs to this host, or to the next where that one is full',
  overflow: 'no host of a lower tier had a slot free',
  load: 'it is sooner done where the model must be loaded first than where it is in memory',
  in_memory:
    'it is sooner done where the model is in memory than at the others that had a slot free, which must load it first',
}

/** Each completes: it could not be chosen, since … */
export const leftOutMeanings: Readonly<Record<LeftOut, string>> = {
  load: 'the model must be loaded there first, and it is sooner done where it is in memory',
  other_models: 'other models are at work there, are being loaded or have their turn',
  full: 'it had no slot free, and the request waits for no host alone any more',
}
