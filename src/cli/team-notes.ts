/** Keys whose team the configuration does not have: they go on, but without the limits that their team would share. */
import { existsSync } from 'node:fs'
import type { KeyRecord } from '../access/key-record.ts'
import { systemClock } from '../base/clock.ts'
import { StoreError } from '../base/store-error.ts'
import { inMemory } from '../config/resolve.ts'
import type { ResolvedConfig } from '../config/schema.ts'
import { openStore } from '../stores/open-store.ts'
import { printable } from './printable.ts'

const namesShown = 5

/** Without a store, which only a start or a first key makes, there is nothing to say. */
export async function teamNotes(config: ResolvedConfig): Promise<readonly string[]> {
  const { path } = config.storage
  if (path === inMemory || !existsSync(path)) return []
  try {
    const store = await openStore({ path, role: 'cli' })
    try {
      return notesOf(await store.keys.list(), config)
    } finally {
      await store.close()
    }
  } catch (error) {
    if (error instanceof StoreError) return [printable(error.message).replace(/\.$/, '')]
    throw error
  }
}

function notesOf(keys: readonly KeyRecord[], config: ResolvedConfig): readonly string[] {
  const nowMs = systemClock.wallMs()
  const lost = keys
    .filter(({ revokedAtMs, expiresAtMs }) => revokedAtMs === null && (expiresAtMs ?? Number.POSITIVE_INFINITY) > nowMs)
    .filter(({ team }) => team !== null && !Object.hasOwn(config.teams, team))
  if (lost.length === 0) return []
  const names = lost.slice(0, namesShown).map(({ name, team }) => `${printable(name)} (team ${printable(team ?? '')})`)
  const more = lost.length > namesShown ? ` and ${lost.length - namesShown} more` : ''
  return [`teams has no limits for the team of these keys, so none of a team hold for them: ${names.join(', ')}${more}`]
}
