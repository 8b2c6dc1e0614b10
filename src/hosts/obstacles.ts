/** Why a model is not being loaded just now, in a word for programs and in one for people. */

export const obstacles = [
  'another_load',
  'failed',
  'loads_per_hour',
  'turn_of_another',
  'busy',
  'quantum',
  'kept',
] as const
export type Obstacle = (typeof obstacles)[number]

export const obstacleSentences: Readonly<Record<Obstacle, string>> = {
  another_load: 'another one is being loaded first',
  failed: 'loading it failed a short while ago',
  loads_per_hour: 'as many were loaded in the last hour as models.residency.loadsPerHourMax allows',
  turn_of_another: 'another one has its turn before',
  busy: 'answers with other models are still being made',
  quantum: 'another one was loaded a short while ago and is still wanted',
  kept: 'another one was used a short while ago',
}
