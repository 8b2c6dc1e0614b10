/** What a request hears whose patience ends while the model it wants is not in memory yet. */
import { GatewayError } from '../base/errors.ts'
import type { LoadWait, Obstacle } from '../hosts/residency.ts'

const retryAfterMsMin = 1_000

export function stillLoading(model: string, { forMs, expectedMs, obstacle }: LoadWait): GatewayError {
  const message =
    forMs === null
      ? `No host has the model "${model}" in memory: ${obstacles[obstacle ?? 'another_load']}.`
      : `The model "${model}" is being loaded, for ${seconds(forMs)} s now.`
  return new GatewayError('model_loading', message, { retryAfterMs: Math.max(retryAfterMsMin, expectedMs ?? 0) })
}

const obstacles: Readonly<Record<Obstacle, string>> = {
  another_load: 'another one is being loaded first',
  failed: 'loading it failed a short while ago',
  loads_per_hour: 'as many were loaded in the last hour as models.residency.loadsPerHourMax allows',
  turn_of_another: 'another one has its turn before',
  busy: 'answers with other models are still being made',
  quantum: 'another one was loaded a short while ago and is still wanted',
  kept: 'another one was used a short while ago',
}

function seconds(ms: number): number {
  return Math.round(ms / 1_000)
}
