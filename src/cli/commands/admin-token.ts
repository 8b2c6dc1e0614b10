/** `admin-token rotate`: another token for the admin API. */
import type { Secret } from '../../access/secret.ts'
import { systemClock } from '../../base/clock.ts'
import { StoreError } from '../../base/store-error.ts'
import type { Command, Flag } from '../command.ts'
import { saying, storeFlags } from '../open-access.ts'
import { printableJson } from '../printable.ts'
import { refuse } from '../refuse.ts'
import { adminTokenPath, writeTokenFile } from '../shown-admin-token.ts'

const show: Flag = { name: 'show', value: '', help: 'Write it to stdout although that is no terminal' }
const json: Flag = { name: 'json', value: '', help: 'The result as one JSON object; the token itself only with --show' }

const rotate: Command = {
  name: 'admin-token rotate',
  summary: 'Makes another admin token; the one before ends within a second',
  flags: [show, json, ...storeFlags],
  notes: [
    'On a terminal it is shown this once; else it is written to a file beside the store that only its owner can read.',
    'Examples:',
    '  lmx-gateway admin-token rotate',
    '  LMX_GATEWAY_ADMIN_TOKEN=$(lmx-gateway admin-token rotate --show)',
  ],
  async run(flags, io) {
    const [{ loadConfig }, { openStoreHere, operator }, { replaceAdminToken }] = await Promise.all([
      import('../../config/load.ts'),
      import('../local-access.ts'),
      import('../../access/admin-token.ts'),
    ])
    const loaded = await loadConfig({ flags })
    if (loaded.kind === 'bad') return refuse(loaded.problems, io)
    const isOn = (flag: Flag): boolean => flags.get(flag.name)?.at(-1) === 'true'
    return saying(io, async () => {
      const store = await openStoreHere(loaded.config, io)
      try {
        const how = { clock: systemClock, actor: operator(), action: 'admin-token.rotate' } as const
        const token = await replaceAdminToken(store.keys, how)
        const isShown = isOn(show) || (io.isTerminal === true && !isOn(json))
        const file = isShown ? null : adminTokenPath(loaded.config.storage.path)
        if (file !== null) write(file, token)
        if (isOn(json)) io.out(printableJson(file === null ? { token: token.reveal() } : { file }))
        else if (file === null) io.out(token.reveal())
        else io.out(`The admin token is in ${file}, for its owner only. Keep it elsewhere and remove the file.`)
        if (isShown && io.isTerminal === true) io.err('It is shown this once: only a digest of it is kept.')
        return 0
      } finally {
        await store.close()
      }
    })
  },
}

function write(file: string, token: Secret): void {
  try {
    writeTokenFile(file, token)
  } catch (cause) {
    const why = `the admin token could not be written to ${file}, so nobody has it`
    throw new StoreError(`${why}: run this again on a terminal, or with --show`, { cause })
  }
}

export const adminTokenCommands: readonly Command[] = [rotate]
