/** The files of certificates that a configuration names, read as a start would read them. */
import { systemClock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Problem } from '../config/problem.ts'
import type { ResolvedConfig } from '../config/schema.ts'

export interface CertificateCheck {
  readonly problems: readonly Problem[]
  /** What a start would warn of. */
  readonly notes: readonly string[]
}

export async function checkCertificates({ hosts, server }: ResolvedConfig): Promise<CertificateCheck> {
  const { tls } = server
  if (tls === undefined && hosts.every(({ ca }) => ca === undefined)) return { problems: [], notes: [] }
  // It brings all of the gateway with it.
  const { authoritiesOf, StartError, TlsFiles } = await import('../gateway.ts')
  const problems: Problem[] = []
  const notes: string[] = []
  const check = (read: () => unknown): void => {
    try {
      read()
    } catch (error) {
      if (!(error instanceof StartError)) throw error
      // It says by itself what it is about.
      problems.push({ source: null, line: null, column: null, path: '', message: error.message })
    }
  }
  const log: Log = (level, message) => {
    if (level === 'warn') notes.push(message)
  }
  for (const host of hosts) check(() => authoritiesOf(host))
  if (tls !== undefined) check(() => new TlsFiles(tls, { clock: systemClock, log }))
  return { problems, notes }
}
