/** What was used, by whom, and who changed what: routes that only read. */
import { z } from 'zod'
import { limitsSchema } from '../../access/options.ts'
import { GatewayError } from '../../base/errors.ts'
import { TooManyUsageRows, type UsageGroup, type UsageSum, usageGroups } from '../../metering/ledger-store.ts'
import { usageRange } from '../../metering/usage-range.ts'
import { usageCsv, usageReport } from '../../metering/usage-report.ts'
import { usageReportSchema } from '../../metering/usage-report-schema.ts'
import { type AdminRoute, nothing, reads } from './admin-route.ts'
import { nameText, published, time, wholeText } from './documented.ts'

/** What of so many is written takes some milliseconds, for which nothing else is done. */
const reportRowsMax = 10_000

const auditCountDefault = 100
const auditCountMax = 1_000

const columns = z
  .string()
  .max(64)
  .superRefine((text, context) => {
    const named = columnsOf(text)
    if (named.every(isGroup) && new Set(named).size === named.length) return
    context.addIssue({ code: 'custom', message: `must be some of ${usageGroups.join(', ')}, each once` })
  })
  .default('key')
  .describe(`Columns to sum by, with commas between them: ${usageGroups.join(', ')}; empty for one sum of all`)

const filter = (what: string) => nameText.optional().describe(`Only of this ${what}`)

const usageParameters = z.strictObject({
  by: columns,
  from: z.string().max(40).optional().describe('A day such as 2026-11-01, today, 30d, or a time with its zone'),
  to: z.string().max(40).optional().describe('The same; a day is included whole'),
  key: filter('key, by id or name'),
  team: filter('team'),
  model: filter('model'),
  host: filter('host'),
  format: z.enum(['json', 'csv']).default('json').describe('How it is answered'),
})

const amount = z.int().min(0)

const usageAnswer = published('UsageReport', usageReportSchema)

const auditAnswer = published(
  'AuditTrail',
  z.strictObject({
    entries: z.array(
      z.strictObject({
        at: time,
        actor: z.string().describe('Where the change came from'),
        action: z.string(),
        keyId: z.string().nullable(),
        keyName: z.string().nullable(),
        detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
      }),
    ),
  }),
)

const teamsAnswer = published(
  'Teams',
  z.strictObject({ teams: z.array(z.strictObject({ name: z.string(), limits: limitsSchema })) }),
)

const limitsLeftAnswer = published(
  'LimitsLeft',
  z.strictObject({
    id: z.string(),
    name: z.string(),
    team: z.string().nullable(),
    limits: z.array(
      z.strictObject({
        limit: limitsSchema.keyof(),
        of: z.enum(['key', 'team', 'address']),
        maximum: amount,
        remaining: amount,
        resetMs: amount
          .nullable()
          .describe('Until all of it is there again, when nothing is used meanwhile; null while requests run'),
      }),
    ),
  }),
)

export const usageRoutes: readonly AdminRoute[] = [
  reads({
    path: '/admin/teams',
    operation: 'listTeams',
    summary: 'The teams of the configuration and what each may use.',
    query: nothing,
    answers: { 'application/json': teamsAnswer },
    handle: (_call, { teams }) => ({
      json: { teams: Object.entries(teams).map(([name, limits]) => ({ name, limits })) },
    }),
  }),
  reads({
    path: '/admin/limits/:id',
    operation: 'getLimitsLeft',
    summary: 'What a key, and its team, have left now.',
    query: nothing,
    answers: { 'application/json': limitsLeftAnswer },
    refusals: ['not_found'],
    handle: async ({ id }, { keyAdmin, limitsLeft }) => {
      const record = await (await keyAdmin()).find(id)
      return { json: { id: record.id, name: record.name, team: record.team, limits: limitsLeft(record) } }
    },
  }),
  reads({
    path: '/admin/usage',
    operation: 'sumUsage',
    summary: 'Requests and tokens, summed from the ledger; of this month unless from says otherwise.',
    query: usageParameters,
    answers: { 'application/json': usageAnswer, 'text/csv': null },
    handle: async ({ query }, { ledger, clock, timeZone, currency }) => {
      const { by, from = null, to = null, key = null, team = null, model = null, host = null, format } = query
      const range = usageRange({ from, to }, { timeZone, nowMs: clock.wallMs() })
      const columnsAsked = columnsOf(by).filter(isGroup)
      const asked = { by: columnsAsked, ...range, key, team, model, host, timeZone, rowsMax: reportRowsMax }
      const report = usageReport(asked, await bounded(ledger.usage(asked)), currency)
      return format === 'json' ? { json: report } : { text: usageCsv(report), contentType: 'text/csv; charset=utf-8' }
    },
  }),
  reads({
    path: '/admin/audit',
    operation: 'listChanges',
    summary: 'Who changed what, the latest first.',
    query: z.strictObject({ count: wholeText(auditCountMax).describe('Changes to list') }),
    answers: { 'application/json': auditAnswer },
    handle: async ({ query: { count = auditCountDefault } }, { keyStore }) => {
      const entries = await keyStore.audit(count)
      return {
        json: { entries: entries.map(({ atMs, ...entry }) => ({ at: new Date(atMs).toISOString(), ...entry })) },
      }
    },
  }),
]

async function bounded(sums: Promise<readonly UsageSum[]>): Promise<readonly UsageSum[]> {
  try {
    return await sums
  } catch (error) {
    if (!(error instanceof TooManyUsageRows)) throw error
    const message = `by: the report has more than ${reportRowsMax} rows: narrow from and to, or sum by less.`
    throw new GatewayError('invalid_request', message, { param: 'by' })
  }
}

function columnsOf(text: string): string[] {
  return text === '' ? [] : text.split(',')
}

function isGroup(column: string): column is UsageGroup {
  return usageGroups.some((one) => one === column)
}
