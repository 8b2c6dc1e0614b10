/** Finds the gateway that a command is about, which must run: by its admin API, on this machine as its configuration says, or elsewhere. */
import { systemClock } from '../base/clock.ts'
import { formatProblem } from '../config/problem.ts'
import type { FlagValues } from '../config/settings.ts'
import type { AdminClient } from './admin-client.ts'
import type { Flag, Io } from './command.ts'
import { settingFlags } from './help.ts'
import { saying } from './open-access.ts'
import { printable } from './printable.ts'
import { refuse } from './refuse.ts'

export const gatewayFlags: readonly Flag[] = [
  ...settingFlags.filter(({ name }) => name === 'config' || name === 'admin-port'),
  { name: 'admin-url', value: 'URL', help: 'Admin API of a gateway elsewhere, such as http://192.168.1.5:4001' },
]

export const gatewayNotes: readonly string[] = [
  'It asks the admin API of a running gateway, of the one on this machine unless --admin-url names another, with the admin',
  'token in LMX_GATEWAY_ADMIN_TOKEN (no flag: others could read it).',
]

/** Resolves with the exit code of `use`, or 1 when that cannot be; what is wrong is said in one sentence. */
export async function withGateway(
  flags: FlagValues,
  io: Io,
  use: (gateway: AdminClient) => Promise<number>,
): Promise<number> {
  return saying(io, async () => {
    const gateway = await open(flags, io)
    return gateway === null ? 1 : use(gateway)
  })
}

async function open(flags: FlagValues, io: Io): Promise<AdminClient | null> {
  const adminUrl = flags.get('admin-url')?.at(-1) ?? (await urlHere(flags, io))
  if (adminUrl === null) return null
  const [{ adminToken }, { AdminClient: Client }] = await Promise.all([
    import('../config/admin-token.ts'),
    import('./admin-client.ts'),
  ])
  const token = adminToken()
  if (token !== null) return new Client(adminUrl, token, systemClock)
  io.err(
    'lmx-gateway: this needs the admin token of the gateway in LMX_GATEWAY_ADMIN_TOKEN (admin-token rotate makes another)',
  )
  return null
}

/**
 * Null where the configuration does not tell; then that was said. What else is wrong with it is no reason not to ask: that
 * gateway runs with another one.
 */
async function urlHere(flags: FlagValues, io: Io): Promise<string | null> {
  const { loadAdmin } = await import('../config/load-admin.ts')
  const loaded = await loadAdmin({ flags })
  if (loaded.kind === 'bad') {
    refuse(loaded.problems, io)
    io.err('lmx-gateway: where its admin API is, --admin-port or --admin-url can say as well')
    return null
  }
  const { bind, port, unread } = loaded
  for (const problem of unread) io.err(`Note: of this file nothing counts: ${printable(formatProblem(problem))}`)
  if (port === 0) {
    io.err('lmx-gateway: admin.port is 0, so the gateway took a free one: say where it is with --admin-url')
    return null
  }
  if (unread.length > 0) io.err(`Note: a gateway at port ${port} is asked; --admin-port and --admin-url name another.`)
  const address = { '0.0.0.0': '127.0.0.1', '::': '::1' }[bind] ?? bind
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}`
}
