/** The line as metrics and pages show it. */
import { requestClasses } from '../base/request-class.ts'
import { allAtOnce, type Steps } from '../base/steps.ts'
import type { FlowState, QueueDepth, QueueState } from './events.ts'
import type { Flow } from './flow.ts'
import type { Waiter } from './waiter.ts'

export interface LineNow {
  readonly waiting: Iterable<Waiter>
  readonly flows: Iterable<Flow>
  /** How much more each flow was served than the least served of those that wait for the same host. */
  readonly leads: ReadonlyMap<Flow, number>
}

export function queueState(line: LineNow, now: { nowMs: number; bytes: number; paused: boolean }): QueueState {
  return allAtOnce(queueStateInSteps(line, now))
}

/** Of those who wait when it begins: whoever goes meanwhile is still among them. */
export function* queueStateInSteps(
  { waiting, flows, leads }: LineNow,
  { nowMs, bytes, paused }: { nowMs: number; bytes: number; paused: boolean },
): Steps<QueueState> {
  const depths = yield* depthsOf([...waiting], nowMs)
  const ofKeys = yield* flowsOf([...flows])
  return { depths, flows: ofKeys, fairnessGap: gapOf(leads), bytes, paused }
}

function* depthsOf(waiting: readonly Waiter[], nowMs: number): Steps<readonly QueueDepth[]> {
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
    yield
  }
  return [...depths.values()].toSorted(
    (a, b) => requestClasses.indexOf(a.class) - requestClasses.indexOf(b.class) || (a.model < b.model ? -1 : 1),
  )
}

function gapOf(leads: ReadonlyMap<Flow, number>): number {
  let gap = 0
  for (const [{ waiting }, lead] of leads) if (waiting > 0) gap = Math.max(gap, lead)
  return gap
}

/** Clients without a key all have one name. */
function* flowsOf(flows: readonly Flow[]): Steps<readonly FlowState[]> {
  const byKey = new Map<string, { key: string; waiting: number; running: number }>()
  for (const { name, waiting, running, idle } of flows) {
    if (idle) continue
    const ofKey = byKey.get(name) ?? { key: name, waiting: 0, running: 0 }
    ofKey.waiting += waiting
    ofKey.running += running
    byKey.set(name, ofKey)
    yield
  }
  return [...byKey.values()]
}
