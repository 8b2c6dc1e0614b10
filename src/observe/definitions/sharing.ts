/** Several gateways before the same hosts: what they share through Redis. Only where `storage.redis` is set. */
import type { Definitions } from './definition.ts'

/** In seconds: from what Redis takes on the same machine to twice what a request waits for it. */
const callBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1]

export const sharingMetrics = {
  redis_up: { type: 'gauge', labels: [], help: '1 while Redis answers.' },
  redis_outages_total: { type: 'counter', labels: [], help: 'How often Redis was there and then was not.' },
  redis_calls_total: {
    type: 'counter',
    labels: ['operation', 'outcome'],
    help: 'Calls of Redis; outcome is ok, timeout (no answer within storage.redis.answerMsMax), error, or down (nobody was asked).',
  },
  redis_call_seconds: {
    type: 'histogram',
    labels: ['operation'],
    help: 'How long a call of Redis took, of those that were answered; those that timed out count with the time that was waited.',
    buckets: callBuckets,
  },
  redis_late_answers_total: {
    type: 'counter',
    labels: ['of'],
    help: 'Answers that came when nobody waited for them any more and were undone; of is limits or slots.',
  },
  sharing_degraded: {
    type: 'gauge',
    labels: [],
    help: '1 while this gateway decides alone: it keeps to its share of the limits and slots, since Redis is not there or has just begun anew.',
  },
  replicas: {
    type: 'gauge',
    labels: [],
    help: 'Gateways of the fleet that live, this one included; as many as when Redis was last there.',
  },
  replicas_gone_total: {
    type: 'counter',
    labels: ['how'],
    help: 'Other gateways that live no more; how is left (it was stopped) or missed (it was not heard for storage.redis.goneAfterMs).',
  },
  replica_beat_age_seconds: {
    type: 'gauge',
    labels: [],
    help: 'Since Redis last took the word that this gateway lives, or since its start; some 0.2 where all is well.',
  },
  redis_epochs_total: {
    type: 'counter',
    labels: [],
    help: 'How often Redis was found emptied, or another one, or had given up this gateway, which then told anew what it holds.',
  },
  shared_limit_decisions_total: {
    type: 'counter',
    labels: ['by'],
    help: 'Requests that asked for their limits; by is shared (those of all gateways together) or local (this gateway’s share of them).',
  },
  shared_limit_charges_waiting: {
    type: 'gauge',
    labels: [],
    help: 'Keys, teams and addresses of which Redis has yet to be told what they used here while it was away.',
  },
  shared_slot_decisions_total: {
    type: 'counter',
    labels: ['host', 'outcome'],
    help: 'Slots that were free here and were asked for; outcome is granted, refused (others hold or come before) or local (this gateway kept to its share).',
  },
  shared_slots_elsewhere: {
    type: 'gauge',
    labels: ['host'],
    help: 'Slots of the host that other gateways hold, as this one last heard.',
  },
  shared_slot_claims: {
    type: 'gauge',
    labels: ['host'],
    help: '1 while this gateway was refused a slot of the host and waits for one beside the others.',
  },
  usage_rows_handed_over_total: {
    type: 'counter',
    labels: [],
    help: 'Rows of this gateway’s ledger that the others were given.',
  },
  usage_rows_taken_in_total: {
    type: 'counter',
    labels: [],
    help: 'Rows of other gateways that were taken into the ledger of this one.',
  },
  usage_rows_missed_total: {
    type: 'counter',
    labels: [],
    help: 'Rows of other gateways that were gone from Redis before this one could take them in; must stay 0.',
  },
  usage_hand_over_waiting_rows: {
    type: 'gauge',
    labels: [],
    help: 'Rows of this gateway’s ledger that the others have yet to be given.',
  },
  usage_hand_over_lag_seconds: {
    type: 'gauge',
    labels: [],
    help: 'How long the oldest of these rows has waited; 0 where there is none.',
  },
  key_mirror_age_seconds: {
    type: 'gauge',
    labels: [],
    help: 'Since the keys that this gateway knows were last seen to be those of all.',
  },
} as const satisfies Definitions
