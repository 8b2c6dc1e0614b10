/** Where anything may come out, and what may be found in none of it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { ScratchFolder } from '../../kit/stored-rows.ts'
import { prompt, secret } from './canary-words.ts'

export interface Told {
  readonly what: string
  readonly text: string
  /** Shown to a client that may read in it what it asked itself. */
  readonly own?: boolean
}

export interface Keys {
  readonly good: string
  readonly wrong: string
  readonly revoked: string
  readonly limited: string
  readonly adminToken: string
  readonly wrongAdminToken: string
}

/** The parts of all of it that nobody may find: of a key not its public id. `own`: what whoever asked knows is no canary. */
export function canariesOf(keys: Keys, own: boolean): readonly string[] {
  const ours = Object.values<string>({ ...keys }).map((key) =>
    key.startsWith('lmx_live_') ? key.slice(18, 50) : key.slice(10, 50),
  )
  const said = own ? [] : Object.values<string>(prompt)
  // Files are read as bytes.
  const bytes = said.map((canary) => Buffer.from(canary).toString('latin1'))
  return [...new Set([...Object.values(secret), ...said, ...bytes, ...ours])]
}

export function leaksOf(canaries: readonly string[], { what, text }: Told): string[] {
  const lower = text.toLowerCase()
  return canaries.flatMap((canary) => {
    const at = lower.indexOf(canary.toLowerCase())
    return at === -1 ? [] : [`${canary} in ${what}: ${text.slice(Math.max(0, at - 100), at + 60)}`]
  })
}

/** Each byte of each file, and each value of each column as SQLite gives it. */
export function filesOf(folder: ScratchFolder, tokenFile: string): Told[] {
  const told: Told[] = []
  for (const name of readdirSync(folder.path)) {
    const path = join(folder.path, name)
    // The token is told there, for its owner alone; the configuration is the operator's own.
    if (path === tokenFile || name === 'gateway.yaml') continue
    told.push({ what: name, text: readFileSync(path).toString('latin1') })
  }
  for (const path of [folder.storePath, folder.usagePath]) {
    const file = new DatabaseSync(path, { readOnly: true })
    const tables = file.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all() as { name: string }[]
    for (const { name } of tables)
      told.push({ what: `${path} ${name}`, text: JSON.stringify(file.prepare(`SELECT * FROM "${name}"`).all()) })
    file.close()
  }
  return told
}
