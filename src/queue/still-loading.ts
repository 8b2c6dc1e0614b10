/** What a request hears whose patience ends while the model it wants is not in memory yet. */
import { GatewayError } from '../base/errors.ts'
import { obstacleSentences } from '../hosts/obstacles.ts'
import type { LoadWait } from '../hosts/residency.ts'

const retryAfterMsMin = 1_000

export function stillLoading(model: string, { forMs, expectedMs, obstacle }: LoadWait): GatewayError {
  const message =
    forMs === null
      ? `No host has the model "${model}" in memory: ${obstacleSentences[obstacle ?? 'another_load']}.`
      : `The model "${model}" is being loaded, for ${seconds(forMs)} s now.`
  return new GatewayError('model_loading', message, { retryAfterMs: Math.max(retryAfterMsMin, expectedMs ?? 0) })
}

function seconds(ms: number): number {
  return Math.round(ms / 1_000)
}
