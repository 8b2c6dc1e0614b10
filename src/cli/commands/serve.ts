/** `serve`: the gateway itself. */
import module from 'node:module'
import type { Secret } from '../../access/secret.ts'
import { systemClock } from '../../base/clock.ts'
import type { ResolvedConfig } from '../../config/schema.ts'
import type { Gateway } from '../../gateway.ts'
import { version } from '../../version.ts'
import type { Command } from '../command.ts'
import { environmentNotes, settingFlags } from '../help.ts'
import { refuse, tell } from '../refuse.ts'
import { adminTokenPath, showAdminToken } from '../shown-admin-token.ts'
import { StopRequests } from '../stop-requests.ts'
import { watchTerminal } from '../terminal.ts'

export const serve: Command = {
  name: 'serve',
  summary: 'Runs the gateway; this is what happens without a command',
  flags: settingFlags,
  notes: environmentNotes,
  async run(flags, io) {
    // Before what takes long: until it is heard a signal ends the process by itself, or, in a container, not at all.
    const hasHungUp = watchTerminal([process.stdin, process.stdout, process.stderr])
    const stop = new StopRequests(process, systemClock, hasHungUp)
    // Help and the version need none of what is loaded from here on.
    const { loadConfig } = await import('../../config/load.ts')
    const loaded = await loadConfig({ flags })
    if (loaded.kind === 'bad') return refuse(loaded.problems, io)
    const { config } = loaded
    tell(loaded.notes, io)
    // Its threads take as long to start as what follows takes to load: both at once. What came of it the gateway hears.
    const { openStore } = await import('../../stores/open-store.ts')
    const store = openStore({ ...config.storage, role: 'gateway' })
    store.catch(() => {})
    const [{ createGateway, StartError }, { createLog }, { runSession }] = await Promise.all([
      import('../../gateway.ts'),
      import('../../observe/log-writer.ts'),
      import('../session.ts'),
    ])
    // People read stdout, collectors read the log: neither should have to pick out the other's lines.
    const log = createLog(config.log, process.stderr, systemClock)
    const logDropped = () => log.dropped()
    const onAdminToken = (token: Secret): void => {
      showAdminToken(token, { io, path: adminTokenPath(config.storage.path) })
    }
    let inForce = config
    const reloading = {
      loadConfig: () => loadConfig({ flags }),
      configFile: loaded.file,
      onConfig: (changed: ResolvedConfig) => {
        inForce = changed
        log.setLevel(changed.log.level)
      },
    }
    const parts = { config, version: version(), store, log, logDropped, onAdminToken, stop, io, process, ...reloading }
    let gateway: Gateway | null = null
    try {
      const made = createGateway(config, parts)
      gateway = made
      stop.onReload = () => void made.reload('signal')
      // Node writes its compile cache at a clean exit only, which a server hardly ever has.
      return await runSession({
        ...parts,
        gateway: made,
        inForce: () => inForce,
        onListening: () => module.flushCompileCache(),
      })
    } catch (error) {
      if (gateway === null) await store.then((opened) => opened.close()).catch(() => {})
      if (!(error instanceof StartError)) throw error
      io.err(`lmx-gateway: ${error.message}`)
      return 1
    } finally {
      log.flush()
    }
  },
}
