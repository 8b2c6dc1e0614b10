/** How far flows are apart in what they were served. */
import type { Steps } from '../base/steps.ts'
import type { Flow } from './flow.ts'
import type { Lane } from './lane.ts'
import type { LaneHosts } from './lane-hosts.ts'
import { Lease } from './lease.ts'
import type { Line } from './line.ts'
import type { Waiter } from './waiter.ts'

/** How much more each flow was served than the least served of those that wait for the same host; the largest of several. */
export function* leadsInSteps(line: Line, laneHosts: LaneHosts): Steps<ReadonlyMap<Flow, number>> {
  const leads = new Map<Flow, number>()
  const hosts = laneHosts.ofAll(line.lanes())
  const waiting = yield* flowsByLane([...line])
  for (const host of hosts) {
    const flows = new Set<Flow>()
    let least = Number.POSITIVE_INFINITY
    for (const [lane, ofLane] of waiting) {
      if (!laneHosts.takes(lane, host)) continue
      for (const flow of ofLane) {
        flows.add(flow)
        least = Math.min(least, flow.counterAt(host))
        yield
      }
    }
    for (const lease of host.leases) if (lease instanceof Lease) flows.add(lease.bill.flow)
    for (const flow of flows) {
      leads.set(flow, Math.max(leads.get(flow) ?? Number.NEGATIVE_INFINITY, flow.counterAt(host) - least))
      yield
    }
  }
  return leads
}

function* flowsByLane(waiting: readonly Waiter[]): Steps<ReadonlyMap<Lane, ReadonlySet<Flow>>> {
  const flows = new Map<Lane, Set<Flow>>()
  for (const { flow, lane } of waiting) {
    const ofLane = flows.get(lane) ?? new Set()
    flows.set(lane, ofLane.add(flow))
    yield
  }
  return flows
}
