/** Parts that clear up by themselves, by settings that a reload may change: each is read when it is wanted. */
import type { Clock } from './base/clock.ts'
import type { Log } from './base/log.ts'
import type { LiveConfig } from './gateway-reload.ts'
import type { Host } from './hosts/host.ts'
import type { LedgerStore } from './metering/ledger-store.ts'
import { Retention } from './metering/retention.ts'
import { ZombieSlots } from './queue/zombie-slots.ts'

export function zombiesOf(live: LiveConfig, clock: Clock, ask: (host: Host) => void): ZombieSlots {
  return new ZombieSlots({
    clock,
    get msMax() {
      return live.config.relay.zombieMsMax
    },
    ask,
  })
}

interface RetentionParts {
  readonly store: LedgerStore
  readonly clock: Clock
  readonly log: Log
}

export function retentionOf(live: LiveConfig, parts: RetentionParts): Retention {
  return new Retention({
    ...parts,
    get retentionDays() {
      return live.config.usage.retentionDays
    },
  })
}
