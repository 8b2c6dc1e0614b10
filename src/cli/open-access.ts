/** Finds what a command about keys works on: the store that the configuration names, or the admin API of a gateway elsewhere. */
import { systemClock } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'
import { StoreError } from '../base/store-error.ts'
import { suggestion } from '../config/nearest.ts'
import type { FlagValues } from '../config/settings.ts'
import type { AccessAdmin } from './access-admin.ts'
import type { Flag, Io } from './command.ts'
import { settingFlags } from './help.ts'
import { flagOf } from './key-flags.ts'
import { printable } from './printable.ts'
import { refuse } from './refuse.ts'

/** Flags that say where this machine keeps it. */
export const storeFlags: readonly Flag[] = settingFlags.filter(({ name }) => name === 'config' || name === 'store')

/** The same, and another machine's. */
export const accessFlags: readonly Flag[] = [
  ...storeFlags,
  { name: 'admin-url', value: 'URL', help: 'Admin API of a gateway elsewhere, such as http://192.168.1.5:4001' },
]

export const accessNotes: readonly string[] = [
  'It works on the store itself, with the gateway running or not; a running one follows within a second. For a gateway',
  'elsewhere give --admin-url, and its admin token in LMX_GATEWAY_ADMIN_TOKEN (no flag: others could read it).',
]

/** Resolves with the exit code of `use`, or 1 when that cannot be; what is wrong is said in one sentence. */
export async function withAccess(
  flags: FlagValues,
  io: Io,
  use: (access: AccessAdmin) => Promise<number>,
): Promise<number> {
  return saying(io, async () => {
    const access = await open(flags, io)
    if (access === null) return 1
    try {
      return await use(access)
    } finally {
      await access.close()
    }
  })
}

/** Errors that are for the operator become a sentence and the exit code 1. */
export async function saying(io: Io, work: () => Promise<number>): Promise<number> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof GatewayError) && !(error instanceof StoreError)) throw error
    io.err(`lmx-gateway: ${printable(error instanceof GatewayError ? inFlags(error) : error.message)}`)
    return 1
  }
}

/** What the schema calls by its field was written as a flag here. */
function inFlags({ message, detail }: GatewayError): string {
  const { param } = detail
  const flag = param === undefined ? undefined : flagOf(param)
  return param !== undefined && flag !== undefined && message.startsWith(param)
    ? `--${flag}${message.slice(param.length)}`
    : message
}

async function open(flags: FlagValues, io: Io): Promise<AccessAdmin | null> {
  const adminUrl = flags.get('admin-url')?.at(-1)
  if (adminUrl !== undefined) return openRemote(adminUrl, flags, io)
  const [{ loadConfig }, { openLocalAccess }] = await Promise.all([
    import('../config/load.ts'),
    import('./local-access.ts'),
  ])
  const loaded = await loadConfig({ flags })
  if (loaded.kind === 'good') return openLocalAccess(loaded.config, loaded.file, io)
  refuse(loaded.problems, io)
  return null
}

async function openRemote(adminUrl: string, flags: FlagValues, io: Io): Promise<AccessAdmin | null> {
  const local = storeFlags.find(({ name }) => flags.has(name))
  if (local !== undefined) {
    io.err(`lmx-gateway: --${local.name} is about this machine and --admin-url about another: give one of them`)
    return null
  }
  const [{ adminToken }, { RemoteAccess }] = await Promise.all([
    import('../config/admin-token.ts'),
    import('./remote-access.ts'),
  ])
  const token = adminToken()
  if (token !== null) return new RemoteAccess(adminUrl, token, systemClock)
  io.err('lmx-gateway: --admin-url needs the admin token of that gateway in LMX_GATEWAY_ADMIN_TOKEN')
  return null
}

/** Of a key that there is not, the sentence names the one that was probably meant. */
export async function onKey<Result>(
  access: AccessAdmin,
  idOrName: string,
  call: () => Promise<Result>,
): Promise<Result> {
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'not_found') throw error
    const names = (await access.list()).flatMap((key) => (key.state === 'revoked' ? [] : [key.name]))
    const tail = suggestion(idOrName, names)
    throw tail === '' ? error : new GatewayError('not_found', `there is no key "${idOrName}"${tail}`)
  }
}
