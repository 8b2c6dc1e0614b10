/** The line as metrics and pages show it. */
import type { FlowState, QueueDepth, QueueState } from './events.ts'
import type { Flow } from './flow.ts'
import type { Waiter } from './waiter.ts'

export function queueState(
  { waiting, flows }: { waiting: Iterable<Waiter>; flows: Iterable<Flow> },
  { nowMs, bytes }: { nowMs: number; bytes: number },
): QueueState {
  return { depths: depthsOf(waiting, nowMs), ...flowsOf(flows), bytes }
}

function depthsOf(waiting: Iterable<Waiter>, nowMs: number): readonly QueueDepth[] {
  const depths = new Map<string, { -readonly [Field in keyof QueueDepth]: QueueDepth[Field] }>()
  for (const { request, tokens, sinceMs } of waiting) {
    const { model } = request.route
    const id = `${request.class} ${model}`
    let depth = depths.get(id)
    if (depth === undefined) {
      depth = { model, class: request.class, waiting: 0, tokens: 0, oldestMs: 0 }
      depths.set(id, depth)
    }
    depth.waiting++
    depth.tokens += tokens
    depth.oldestMs = Math.max(depth.oldestMs, nowMs - sinceMs)
  }
  return [...depths.values()]
}

/** Clients without a key all have one name. */
function flowsOf(flows: Iterable<Flow>): { readonly flows: readonly FlowState[]; readonly fairnessGap: number } {
  const byKey = new Map<string, { key: string; waiting: number; running: number }>()
  let least = Number.POSITIVE_INFINITY
  let most = Number.NEGATIVE_INFINITY
  for (const { name, waiting, running, counter, idle } of flows) {
    if (idle) continue
    const ofKey = byKey.get(name) ?? { key: name, waiting: 0, running: 0 }
    ofKey.waiting += waiting
    ofKey.running += running
    byKey.set(name, ofKey)
    if (waiting === 0) continue
    least = Math.min(least, counter)
    most = Math.max(most, counter)
  }
  return { flows: [...byKey.values()], fairnessGap: most > least ? most - least : 0 }
}
