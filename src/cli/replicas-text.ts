/** The gateways before the same hosts as people read them. */
import type { ReplicasPage } from '../http/admin/replicas-schema.ts'
import { counted, grouped, right, secondsText, table } from './text-table.ts'

/** `nowMs`: wall clock. */
export function replicasText({ sharing, replicas }: ReplicasPage, nowMs: number): string {
  const columns = ['gateway', 'version', right('up for'), right('last beat'), right('running'), right('waiting'), 'id']
  const rows = replicas.map(({ name, version, startedAt, beatAgeMs, running, waiting, id, isThis }) => [
    `${name ?? '-'}${isThis ? ' (this one)' : ''}`,
    version ?? '-',
    startedAt === null ? '-' : secondsText(Math.max(0, nowMs - Date.parse(startedAt))),
    secondsText(beatAgeMs),
    running === null ? '-' : grouped(running),
    waiting === null ? '-' : grouped(waiting),
    id,
  ])
  const since = `since ${sharing.since}`
  const state = sharing.isShared
    ? `Limits, slots and budgets are those of all together, ${since}.`
    : `Nothing is shared, ${since}: ${sharing.why ?? 'nobody says why.'}`
  return [`${counted(replicas.length, 'gateway')}. ${state}`, '', table(columns, rows)].join('\n')
}
