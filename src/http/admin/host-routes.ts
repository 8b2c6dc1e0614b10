/** The fleet, changed while it runs. Nothing of it outlives the process: after a start there is what the configuration has. */
import { z } from 'zod'
import type { AuditEntry } from '../../access/key-store.ts'
import { GatewayError } from '../../base/errors.ts'
import { StoreError } from '../../base/store-error.ts'
import { addressIn } from '../../hosts/fleet.ts'
import type { Host } from '../../hosts/host.ts'
import { hostOptions } from '../../hosts/options.ts'
import { lineHost } from '../../queue/line-view.ts'
import { lineHostSchema } from '../../queue/line-view-schema.ts'
import { isInside } from '../client-address.ts'
import type { AdminParts } from './admin-parts.ts'
import { type AdminRoute, adminChange, changes, removes } from './admin-route.ts'
import { noFields, published, sent } from './documented.ts'
import { configReloadSchema, hostAddedSchema, hostRemovedSchema } from './host-schema.ts'

const hostAnswer = published('LineHost', lineHostSchema)
const hostName = 'Name of a host'

/** What a file says of a host, but for a path on this machine: whoever may add hosts need not learn of its files. */
const newHost = sent('NewHost', hostOptions.omit({ ca: true }))

export const hostRoutes: readonly AdminRoute[] = [
  changes({
    method: 'POST',
    path: '/admin/hosts',
    operation: 'addHost',
    summary:
      'Adds a host until the gateway starts again, in the networks of admin.hostNetworks. It is probed at once; a reload keeps it, unless the configuration has a host of that name or place.',
    body: newHost,
    status: 201,
    answers: { 'application/json': published('AddedHost', hostAddedSchema) },
    refusals: ['conflict', 'permission_denied'],
    handle: ({ body, actor }, parts) => addHost(parts, body, actor),
  }),
  removes({
    path: '/admin/hosts/:id',
    operation: 'removeHost',
    summary:
      'Takes a host out: nothing new begins there and it is probed no more; what runs there goes on, or is ended where `now` is true.',
    idMeans: hostName,
    query: z.strictObject({
      now: z.enum(['true', 'false']).optional().describe('true: end what runs there, which its clients are told'),
    }),
    answers: { 'application/json': published('RemovedHost', hostRemovedSchema) },
    refusals: ['not_found'],
    handle: ({ id, query, actor }, parts) => removeHost(parts, { id, actor, now: query.now === 'true' }),
  }),
  setting(
    'drain',
    'Gives a host no request until it is resumed, as pause does: what runs there goes on, and so do probes. Once nothing runs there it may be switched off.',
  ),
  setting(
    'pause',
    'Gives a host no request until it is resumed, or the gateway starts again: what runs there goes on, and so do probes.',
  ),
  setting('resume', 'Gives a host requests again.'),
  changes({
    method: 'POST',
    path: '/admin/config/reload',
    operation: 'reloadConfiguration',
    summary:
      'Takes the configuration anew, if it is good as a whole; else the one before holds, and every problem is told.',
    body: noFields,
    isBodyOptional: true,
    answers: { 'application/json': published('ConfigReload', configReloadSchema) },
    refusals: ['conflict'],
    handle: ({ actor }, parts) => reload(parts, actor),
  }),
]

function setting(verb: 'drain' | 'pause' | 'resume', summary: string): AdminRoute {
  return changes({
    method: 'POST',
    path: `/admin/hosts/:id/${verb}`,
    operation: `${verb}Host`,
    summary,
    idMeans: hostName,
    body: noFields,
    isBodyOptional: true,
    answers: { 'application/json': hostAnswer },
    refusals: ['not_found'],
    handle: async ({ id, actor }, parts) => {
      const host = hostOf(parts, id)
      const cause = verb === 'resume' ? null : verb
      if (host.pausedFor !== cause) {
        if (cause === null) host.resume()
        else host.pause(cause)
        await note(parts, { actor, action: `host.${verb}`, detail: { host: host.name } })
      }
      return { json: lineHost(host) }
    },
  })
}

async function addHost(parts: AdminParts, body: z.output<typeof newHost>, actor: string) {
  const options = { ...body, name: body.name ?? new URL(body.url).host }
  checkPlace(options.url, parts.hostNetworks())
  const like = parts.fleet.like(options)
  if (like !== undefined) {
    throw new GatewayError('conflict', `The host ${like.name} has this name or this place: remove it first.`)
  }
  const { name, url } = parts.fleet.add(options)
  await note(parts, { actor, action: 'host.add', detail: { host: name, url: url.href } })
  return { json: { name, url: url.href, until: 'restart' } }
}

/** Of a name it is looked at where it leads at each connection: what it leads to now may be another thing then. */
function checkPlace(url: string, networks: readonly string[]): void {
  if (networks.length === 0) {
    throw new GatewayError(
      'permission_denied',
      'admin.hostNetworks has no network in which hosts may be added: name one there, such as 192.168.0.0/16, or add the host to the configuration.',
    )
  }
  const address = addressIn(url)
  if (address === null || isInside(address, networks)) return
  const message = `${address} lies in none of the networks of admin.hostNetworks; add the host to the configuration, or its network there.`
  throw new GatewayError('permission_denied', message, { param: 'url' })
}

async function removeHost(parts: AdminParts, { id, actor, now }: { id: string; actor: string; now: boolean }) {
  const host = hostOf(parts, id)
  const isConfigured = parts.fleet.sourceOf(host) === 'configuration'
  parts.fleet.remove(host)
  if (now) parts.traffic.relay.endAt(host)
  await note(parts, { actor, action: 'host.remove', detail: { host: host.name, now } })
  return { json: { name: host.name, running: host.leases.size, isConfigured } }
}

async function reload(parts: AdminParts, actor: string) {
  const result = await parts.reload()
  if (result === null) {
    throw new GatewayError(
      'conflict',
      'There is no configuration that could be read again, or the gateway is stopping.',
    )
  }
  if (result.kind === 'refused') {
    const problems = result.problems.join('\n')
    throw new GatewayError('conflict', `The configuration was not taken, and the one before holds:\n${problems}`)
  }
  const { kind: _taken, ...answer } = result
  await note(parts, { actor, action: 'config.reload', detail: { changed: answer.changed.length } })
  return { json: answer }
}

function hostOf({ fleet }: AdminParts, name: string): Host {
  const found = fleet.hosts.find((host) => host.name === name)
  if (found !== undefined) return found
  const known = fleet.hosts.map((host) => host.name).join(', ')
  throw new GatewayError('not_found', `There is no such host; there are: ${known}.`)
}

type Change = Pick<AuditEntry, 'actor' | 'action' | 'detail'>

/** The change is made already: a trail that cannot be written is no reason to say that it is not. */
async function note({ clock, log, keyStore }: AdminParts, { actor, action, detail }: Change): Promise<void> {
  log('info', adminChange, { actor, action, ...detail })
  try {
    await keyStore.note({ atMs: clock.wallMs(), actor, action, keyId: null, keyName: null, detail })
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    log('warn', 'a change is missing in the trail of changes', { actor, action, problem: error.message })
  }
}
