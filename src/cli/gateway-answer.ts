/** What commands about a running gateway share: what they ask it, and how its answer is shown. */
import { GatewayError } from '../base/errors.ts'
import type { FlagValues } from '../config/settings.ts'
import type { Flag, Io } from './command.ts'
import { printableJson } from './printable.ts'

export const jsonFlag: Flag = { name: 'json', value: '', help: 'The answer of the admin API as JSON' }

export function tell(flags: FlagValues, io: Io, { answer, text }: { answer: unknown; text: string }): number {
  io.out(flags.get('json')?.at(-1) === 'true' ? printableJson(answer) : text)
  return 0
}

/** Flags that the admin API has as parameters, of the same name but for those in `renamed`. */
export function queryOf(
  flags: FlagValues,
  names: readonly string[],
  renamed: Readonly<Record<string, string>> = {},
): string {
  const query = new URLSearchParams()
  for (const name of names) {
    const value = flags.get(name)?.at(-1)
    if (value !== undefined) query.set(renamed[name] ?? name, value)
  }
  return query.toString()
}

/** A path takes no escapes, and what would need some is no id or name that there is. */
export function inPath(given: string, what: string): string {
  if (/^[\w[][\w.:[\]-]*$/.test(given)) return given
  throw new GatewayError('not_found', `there is no ${what} "${given}"`)
}
