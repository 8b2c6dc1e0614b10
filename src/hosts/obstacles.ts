/** Why a model is not being loaded just now, in a word for programs and in one for people. */

export const obstacles = [
  'another_load',
  'failed',
  'loads_per_hour',
  'turn_of_another',
  'busy',
  'foreign',
  'quantum',
  'kept',
] as const
export type Obstacle = (typeof obstacles)[number]

export const obstacleSentences: Readonly<Record<Obstacle, string>> = {
  another_load: 'another one is being loaded first',
  failed: 'loading it failed a short while ago',
  loads_per_hour:
    'as many were loaded in the last hour as models.residency.loadsPerHourMax allows, and the last of them are for keys that caused none',
  turn_of_another: 'another one has its turn before',
  busy: 'answers with other models are still being made',
  foreign: 'requests that others sent to the host are still being answered there',
  quantum: 'another one was loaded a short while ago and is still wanted',
  kept: 'another one was used a short while ago',
}
