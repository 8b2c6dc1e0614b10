/** How many connections of clients the process has room for, by the system's limit on its open files. */

/** For listeners, files, and the connections on which a refusal is being said. */
const reserved = 128
/** Of a limit that leaves nothing; below it nothing works in any case. */
const connectionsMin = 16

/** The limit of a process stays, and a report of it takes as long as all else of a listener. */
let room: number | null = null

/**
 * Beyond the system's limit a new connection would be closed without a word, and a host could not be reached: better
 * to refuse in time. Each client may need one connection to a host.
 */
export function roomForConnections(): number {
  return (room ??= roomByReport())
}

function roomByReport(): number {
  const { report } = process
  // Nothing is looked up for it then; the types do not know of it.
  Object.assign(report, { excludeNetwork: true })
  const limit = openFilesMax(report.getReport())
  return Math.max(connectionsMin, Math.floor((limit - reserved) / 2))
}

/** Node raises the soft limit to the hard one when it starts. */
function openFilesMax(report: { readonly userLimits?: { readonly open_files?: { readonly soft?: unknown } } }): number {
  const soft = report.userLimits?.open_files?.soft
  return typeof soft === 'number' ? soft : Number.POSITIVE_INFINITY
}
