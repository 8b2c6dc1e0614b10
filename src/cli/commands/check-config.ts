/** `check-config`: says everything that is wrong with the configuration, without starting anything. */
import type { LoadedConfig } from '../../config/load.ts'
import type { ResolvedConfig } from '../../config/schema.ts'
import type { Command } from '../command.ts'
import { storeFlags } from '../open-access.ts'
import { printableJson } from '../printable.ts'
import { checkRedis, redisText, type SeenRedis } from '../redis-check.ts'
import { refuse, tell } from '../refuse.ts'

export const checkConfig: Command = {
  name: 'check-config',
  summary: 'Checks the configuration file and the environment; exit code 0 when they are good, else 1',
  flags: [...storeFlags, { name: 'json', value: '', help: 'The result as one JSON object' }],
  notes: [],
  async run(flags, io) {
    const { loadConfig } = await import('../../config/load.ts')
    const { loaded, notes, redis } = await withFiles(await loadConfig({ flags }))
    const good = loaded.kind === 'good'
    if (flags.get('json')?.at(-1) === 'true') {
      const result = good
        ? { ok: true, file: loaded.file, ...summary(loaded.config), ...(redis === null ? {} : { redis }) }
        : { ok: false, ...loaded }
      io.out(printableJson({ ...result, kind: undefined }))
    } else if (good) {
      io.out(summaryText(loaded.file, loaded.config))
      if (redis !== null) io.out(redisText(redis))
      const { teamNotes } = await import('../team-notes.ts')
      tell([...loaded.notes, ...notes, ...(await teamNotes(loaded.config))], io)
    } else {
      refuse(loaded.problems, io)
    }
    return good ? 0 : 1
  },
}

interface Checked {
  readonly loaded: LoadedConfig
  readonly notes: readonly string[]
  /** Null where none is named. */
  readonly redis: SeenRedis | null
}

/** A good configuration is bad when the gateway would not start with the files that it names. */
async function withFiles(loaded: LoadedConfig): Promise<Checked> {
  if (loaded.kind === 'bad') return { loaded, notes: [], redis: null }
  const { checkCertificates } = await import('../certificate-check.ts')
  const checks = [await checkCertificates(loaded.config), await checkRedis(loaded.config)] as const
  const problems = checks.flatMap((check) => check.problems)
  const notes = checks.flatMap((check) => check.notes)
  const [, { seen: redis }] = checks
  return { loaded: problems.length === 0 ? loaded : { kind: 'bad', problems, file: loaded.file }, notes, redis }
}

/** What an operator wants to see again; by name, so that no secret ever slips in. */
function summary(config: ResolvedConfig) {
  return {
    server: { bind: config.server.bind, port: config.server.port, allowAnonymous: config.server.allowAnonymous },
    admin: { bind: config.admin.bind, port: config.admin.port },
    hosts: config.hosts.map(({ name, url, kind, slots }) => ({ name, url, kind: kind ?? null, slots: slots ?? null })),
    aliases: Object.keys(config.models.aliases),
  }
}

function slotsText(slots: ResolvedConfig['hosts'][number]['slots'] | null): string {
  if (slots === null || slots === undefined) return 'detected'
  if (typeof slots === 'number') return String(slots)
  return `${slots.min ?? 'detected'} to ${slots.max ?? 'detected'}`
}

function summaryText(file: string | null, config: ResolvedConfig): string {
  const { server, admin, hosts, aliases } = summary(config)
  return [
    file === null ? 'There is no configuration file; environment and defaults are good.' : `${file} is good.`,
    `  clients  ${server.bind} port ${server.port}${server.allowAnonymous ? ', open to everybody who reaches it' : ''}`,
    `  metrics  ${admin.bind} port ${admin.port}`,
    ...hosts.map(
      (host) => `  host     ${host.name}  ${host.url}  kind ${host.kind ?? 'detected'}  slots ${slotsText(host.slots)}`,
    ),
    ...(aliases.length === 0 ? [] : [`  aliases  ${aliases.join(', ')}`]),
  ].join('\n')
}
