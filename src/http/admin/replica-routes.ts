/** The gateways before the same hosts, as far as this one knows them. */
import type { FleetView, ReplicaView } from '../../replicas/view.ts'
import { type AdminRoute, nothing, reads } from './admin-route.ts'
import { published } from './documented.ts'
import { type ReplicasPage, replicasSchema } from './replicas-schema.ts'

export const replicaRoutes: readonly AdminRoute[] = [
  reads({
    path: '/admin/replicas',
    operation: 'listReplicas',
    summary:
      'The gateways before the same hosts: which live and what they have to do, and whether limits are shared now; this one alone without storage.redis.',
    query: nothing,
    answers: { 'application/json': published('Replicas', replicasSchema) },
    handle: (_call, { replicas }) => ({ json: pageOf(replicas()) }),
  }),
]

function pageOf({ isShared, sinceMs, why, replicas }: FleetView): ReplicasPage {
  return {
    sharing: { isShared, since: new Date(sinceMs).toISOString(), why },
    replicas: replicas.map(replicaOf).toSorted((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1)),
  }
}

function replicaOf({
  id,
  name,
  version,
  startedAtMs,
  load,
  beatAgeMs,
  isThis,
}: ReplicaView): ReplicasPage['replicas'][number] {
  return {
    id,
    name,
    version,
    startedAt: startedAtMs === null ? null : new Date(startedAtMs).toISOString(),
    beatAgeMs: Math.round(beatAgeMs),
    running: load?.running ?? null,
    waiting: load?.waiting ?? null,
    isThis,
  }
}

/** Two may have one name while one makes way for the other. */
function nameOf({ name, id }: ReplicasPage['replicas'][number]): string {
  return `${name ?? ''} ${id}`
}
