/** Scenes of streams that wait: a host that says nothing until the test lets it go on, and a clock that is the test's. */
import type { HeartbeatForm } from '../../src/wire/heartbeat.ts'
import { pause, type ScriptStep, wholeRequest } from '../kit/chaos-host.ts'
import type { FakeClock } from '../kit/fake-clock.ts'
import { sseHeadBytes } from '../kit/http-bytes.ts'
import { chatBytes, contentFrame, type SceneOptions } from './scenarios/scene.ts'

/** The comment that is sent. */
export const comment = ': waiting\n'
export const asked: Buffer = chatBytes({ stream: true })
export const roleFrame: string = contentFrame('').replace('"content"', '"role":"assistant","content"')

/** Sends its head, and says nothing until the test lets it go on. */
export const silent = (...then: readonly ScriptStep[]): readonly ScriptStep[] => [
  wholeRequest,
  sseHeadBytes(),
  pause,
  ...then,
]

export function at(
  clock: FakeClock,
  heartbeat: HeartbeatForm,
  relay: object = {},
  more: SceneOptions = {},
): SceneOptions {
  return { ...more, clock, config: { ...more.config, relay: { heartbeat, ...relay } } }
}
