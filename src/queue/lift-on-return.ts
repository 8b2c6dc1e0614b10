/** A flow that comes again has no claim on what others had while it did not wait. */
import type { Candidate } from '../hosts/route.ts'
import type { Flow, Flows } from './flow.ts'
import type { Lane } from './lane.ts'
import type { LaneHosts } from './lane-hosts.ts'
import type { Line } from './line.ts'

interface Counted {
  readonly line: Line
  readonly hosts: LaneHosts
  readonly flows: Flows
}

/** To be called when it asks for a slot of one of the candidates. */
export function liftOnReturn(flow: Flow, candidates: readonly Candidate[], { line, hosts, flows }: Counted): void {
  for (const { host } of candidates) {
    if (line.size === 0) {
      flows.returns(flow, host, null)
      continue
    }
    const takes = (lane: Lane): boolean => hosts.takes(lane, host)
    if (flow.queues.some(({ lane }) => takes(lane))) continue
    flows.returns(flow, host, line.leastCounter(host, takes))
  }
}
