/** From which values panels turn orange and red, where options or alerts say so already: as they are unless configured otherwise. */

import { overloadOptions } from '../../../src/base/options.ts'
import { sloOptions } from '../../../src/hosts/options.ts'
import { seriesMaxDefault } from '../../../src/observe/series-max.ts'
import { queueOptions } from '../../../src/queue/options.ts'
import { queueRules } from '../../../src/queue/rules.ts'
import { redisSlowSeconds } from '../rules/sharing-alerts.ts'

type Alarms = readonly [orange: number, red: number]

const slo = sloOptions.parse({})
const patienceSeconds = Object.values(queueRules(queueOptions.parse({})).classes).map((rules) => rules.waitMsMax / 1000)

/** Half of the objective, and the objective. */
export const firstTokenAlarms = halfAnd(slo.timeToFirstTokenMsMax / 1000)
export const perTokenAlarms = halfAnd(slo.timePerOutputTokenMsMax / 1000)
/** Where requests of the most and the least impatient class have waited for half of their patience, which is what QueueStanding holds. */
export const oldestWaitAlarms: Alarms = [Math.min(...patienceSeconds) / 2, Math.max(...patienceSeconds) / 2]
/** Half of the delay from which newcomers are refused, and that delay. */
export const loopDelayAlarms = halfAnd(overloadOptions.parse({}).shedLagMs / 1000)
/** Of the p99 of calls: half of what RedisSlow says, and that. */
export const redisAlarms = halfAnd(redisSlowSeconds)
/** From half of the budget on nothing is started at 0 any more. */
export const seriesAlarms = halfAnd(seriesMaxDefault)
/** Of requests. */
export const failedAlarms: Alarms = [0.01, 0.05]
/** Of attempts: as HostErrors and HostBusy. */
export const attemptsAlarms: Alarms = [0.05, 0.2]
/** Goodput, and each objective that is part of it. */
export const metFloors: Alarms = [0.95, 0.9]

function halfAnd(red: number): Alarms {
  return [red / 2, red]
}
