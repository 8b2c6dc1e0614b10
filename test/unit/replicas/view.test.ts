/** What operators see of the gateways of a fleet. */
import { expect, it } from 'vitest'
import { loneView, ReplicaLoads } from '../../../src/replicas/view.ts'
import { beats, FleetDouble, replicaIn } from './beat-store-double.ts'

const nothing = { running: 0, waiting: 0 }

it('each has told what it has to do, as it is now of the one that is asked', async () => {
  const fleet = new FleetDouble()
  const [a, b] = [replicaIn(fleet, 'a'), replicaIn(fleet, 'b')]
  let ownLoad = nothing
  const loads = new ReplicaLoads(a.replicas, () => ownLoad)
  await a.replicas.start()
  await b.replicas.start()
  await beats(fleet, 6)
  // The other one is of a version that does not tell.
  expect(loads.view().replicas).toMatchObject([
    { id: 'a', name: 'gw-a', version: '1.0.0', load: nothing, isThis: true },
    { id: 'b', name: 'gw-b', version: '1.0.0', load: null, isThis: false },
  ])
  void new ReplicaLoads(b.replicas, () => ({ running: 3, waiting: 5 }))
  await beats(fleet)
  ownLoad = { running: 1, waiting: 0 }
  expect(loads.view().replicas.map(({ load }) => load)).toEqual([
    { running: 1, waiting: 0 },
    { running: 3, waiting: 5 },
  ])
  expect(loads.view()).toMatchObject({ isShared: true, why: null })
  await b.replicas.stop()
  expect(loads.view().replicas.map(({ id }) => id)).toEqual(['a'])
})

it('one that came just now has no name yet, and what it tells amiss is not taken', async () => {
  const fleet = new FleetDouble()
  const a = replicaIn(fleet, 'a')
  const loads = new ReplicaLoads(a.replicas, () => nothing)
  await a.replicas.start()
  const status = 'none'
  fleet.beat({ id: 'new', message: '', status, leaves: false, toldAllIn: null })
  await beats(fleet)
  const [, came] = loads.view().replicas
  expect(came).toMatchObject({ id: 'new', name: null, version: null, startedAtMs: null, load: null })
  const own = { id: 'new', name: 'gw-new', version: '2', startedAtMs: 7 }
  for (const load of [
    null,
    7,
    {},
    { running: -1, waiting: 0 },
    { running: 1.5, waiting: 0 },
    { running: 1, waiting: '1' },
  ])
    fleet.publish(JSON.stringify({ own, leaves: false, told: { load } }))
  const [, heard] = loads.view().replicas
  expect(heard).toMatchObject({ id: 'new', name: 'gw-new', version: '2', startedAtMs: 7, load: null })
})

it('one that stands alone shares nothing with nobody, and says why', () => {
  const view = loneView({ name: 'mac:4000', version: '1', startedAtMs: 5, load: { running: 2, waiting: 1 } })
  expect(view).toMatchObject({ isShared: false, sinceMs: 5 })
  expect(view.why).toContain('storage.redis')
  expect(view.replicas).toMatchObject([{ name: 'mac:4000', load: { running: 2, waiting: 1 }, isThis: true }])
})
