/** `usage`: what was used, by whom. */

import { suggestion } from '../../config/nearest.ts'
import type { FlagValues } from '../../config/settings.ts'
import type { UsageGroup } from '../../metering/ledger-store.ts'
import { usageGroups } from '../../metering/ledger-store.ts'
import type { UsageReport } from '../../metering/usage-report.ts'
import type { AccessAdmin, UsageQuestion } from '../access-admin.ts'
import type { Command, Io } from '../command.ts'
import { accessFlags, accessNotes, withAccess } from '../open-access.ts'
import { printable, printableJson, printableLines } from '../printable.ts'

const formats = ['table', 'csv', 'json'] as const
type Format = (typeof formats)[number]

export const usage: Command = {
  name: 'usage',
  summary: 'Sums up requests, tokens and cost, of this month by key unless told otherwise',
  flags: [
    {
      name: 'by',
      value: 'A,B',
      help: `Columns to sum by: ${usageGroups.join(', ')}; total for one sum (default: key)`,
    },
    {
      name: 'from',
      value: 'DAY',
      help: '2026-11-01, today, yesterday, 30d for so many days ago, or a time with its zone',
    },
    { name: 'to', value: 'DAY', help: 'The same; a day is included whole (default: now)' },
    { name: 'key', value: 'ID|NAME', help: 'Only of this key' },
    { name: 'team', value: 'TEAM', help: 'Only of this team' },
    { name: 'model', value: 'MODEL', help: 'Only of this model' },
    { name: 'host', value: 'HOST', help: 'Only of this host' },
    { name: 'format', value: 'FORMAT', help: 'table, csv or json (default: table)' },
    { name: 'json', value: '', help: 'As --format json' },
    ...accessFlags,
  ],
  notes: [
    'Days are those of limits.timeZone. Examples:',
    '  lmx-gateway usage',
    '  lmx-gateway usage --by key,day --from 30d --format csv > usage.csv',
    '  lmx-gateway usage --by total --from yesterday --to yesterday --key alice',
    "  lmx-gateway usage --by model --json | jq '.total.output'",
    '',
    ...accessNotes,
  ],
  async run(flags, io) {
    const by = columns(flags.get('by') ?? ['key'])
    if (typeof by === 'string') return wrong(io, by)
    const format = formatOf(flags)
    if (format === null) {
      const given = flags.get('format')?.at(-1) ?? ''
      return wrong(
        io,
        `--format: there is no format "${given}"${suggestion(given, formats) || '; there are table, csv, json'}`,
      )
    }
    const question = { by, ...filters(flags) }
    return withAccess(flags, io, async (access) => {
      const [report, { usageCsv }, { usageText }] = await Promise.all([
        access.usage(question),
        import('../../metering/usage-report.ts'),
        import('../usage-text.ts'),
      ])
      if (format === 'json') io.out(printableJson(report))
      // The writer ends each text with a line's end of its own.
      else io.out(format === 'csv' ? printableLines(usageCsv(report)).replace(/\r\n$/, '\r') : usageText(report))
      const notes = [defaultsNote(report, access), await unknownKeyNote(report, question, access)]
      for (const note of notes) if (note !== null) io.err(`Note: ${note}`)
      return 0
    })
  },
}

/** Where a gateway ran with a file, its currency and its days may be others. */
function defaultsNote({ total, currency, timeZone }: UsageReport, { isWithoutFile }: AccessAdmin): string | null {
  if (!isWithoutFile || total.cost === 0) return null
  return `costs in ${currency} and days in ${timeZone} by default; no configuration file was read.`
}

/** Nothing was used: for no key that there is, or in no time that was asked about? */
async function unknownKeyNote({ total }: UsageReport, { key }: UsageQuestion, access: AccessAdmin) {
  if (key === null || total.requests > 0) return null
  const keys = await access.list()
  if (keys.some(({ id, name }) => id === key || name === key)) return null
  const ever = { by: [], from: '1970-01-01', to: null, key, team: null, model: null, host: null }
  if ((await access.usage(ever)).total.requests > 0) return null
  const live = keys.flatMap(({ name, state }) => (state === 'revoked' ? [] : [name]))
  return printable(`no key and no row of the ledger has the name or id "${key}"${suggestion(key, live) || '.'}`)
}

/** Or what is wrong with them. */
function columns(values: readonly string[]): readonly UsageGroup[] | string {
  const names = values.flatMap((value) => value.split(',')).map((name) => name.trim())
  if (names.length === 1 && names[0] === 'total') return []
  const found: UsageGroup[] = []
  for (const name of names) {
    const group = usageGroups.find((known) => known === name)
    if (group === undefined) {
      const tail = suggestion(name, usageGroups) || `; there are ${usageGroups.join(', ')}, or total alone`
      return `--by: there is no column "${name}"${tail}`
    }
    if (!found.includes(group)) found.push(group)
  }
  return found
}

function formatOf(flags: FlagValues): Format | null {
  if (flags.get('json')?.at(-1) === 'true') return 'json'
  const given = flags.get('format')?.at(-1) ?? 'table'
  return formats.find((format) => format === given) ?? null
}

function filters(flags: FlagValues): Omit<UsageQuestion, 'by'> {
  const last = (name: string): string | null => flags.get(name)?.at(-1) ?? null
  return {
    from: last('from'),
    to: last('to'),
    key: last('key'),
    team: last('team'),
    model: last('model'),
    host: last('host'),
  }
}

function wrong(io: Io, message: string): number {
  io.err(`lmx-gateway: ${message}`)
  return 1
}
