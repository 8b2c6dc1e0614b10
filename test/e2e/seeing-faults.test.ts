/**
 * Faults end to end: a real Prometheus with the rules that are shipped scrapes a gateway, and each fault shows in the
 * panel and the alert that it should, and in neither before and after. Windows, intervals and `for` are those of the
 * shipped rules, divided by one factor; each fault has a host, a model and a key of its own, so that all run at once.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type GatewayUnderTest, startGateway } from '../kit/gateway-under-test.ts'
import type { FaultPlan } from '../kit/lmx-double/faults.ts'
import { type LmxDouble, startLmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { type Prometheus, prometheusMissing, startPrometheus } from '../kit/prometheus.ts'
import { ruleFiles } from '../kit/rules/rule-files.ts'
import { job } from '../kit/rules/rule-shapes.ts'
import { seeFault } from '../kit/seeing-fault.ts'

const mustRun = process.env['CI'] === 'true'
if (prometheusMissing && !mustRun) {
  process.stderr.write(
    'prometheus is not installed (apt-get install prometheus): no fault is looked for in alerts and panels\n',
  )
}

/** Five minutes are five seconds. */
const factor = 60
const scrapeMs = 250
const rateInterval = '2s'
/** Half of what a request has patience for by default: QueueStanding speaks of nothing younger, whatever the factor. */
const patienceMs = 60_000
const lineMax = 3

/** One host for each fault, which alone serves the model of the same name. */
const names = ['killed', 'held', 'stormed', 'failing', 'breaking', 'hopeless'] as const
type Name = (typeof names)[number]

describe.skipIf(prometheusMissing && !mustRun)('a fault shows in its panel and its alert', { concurrent: true }, () => {
  const ends: (() => Promise<void>)[] = []
  const doubles = new Map<Name, LmxDouble>()
  const keys = new Map<Name, string>()
  let prometheus: Prometheus
  let gateway: GatewayUnderTest

  beforeAll(async () => {
    for (const name of names) {
      const double = await startLmxDouble({ models: [`org/${name}`], slots: 1, answerTokens: 6, cost: slow(name) })
      doubles.set(name, double)
      ends.unshift(() => double.stop())
    }
    gateway = await startGateway({
      hosts: names.map((name) => ({ name, url: doubles.get(name)?.url ?? '', slots: 1 })),
      probe: { everyMs: 250 },
      queue: { waitMsMax: patienceMs, lengthMax: lineMax },
      limits: { waitMsMax: 0 },
    })
    ends.unshift(() => gateway.gateway.stop({ now: true }))
    for (const name of names) {
      const limits = name === 'stormed' ? { requestsPerMinute: 5 } : {}
      keys.set(name, (await gateway.createKey({ name, limits })).key)
    }
    prometheus = await startPrometheus(
      [{ job_name: job, static_configs: [{ targets: [new URL(gateway.adminUrl).host] }] }],
      { ruleFiles: ruleFiles({ factor }).map(({ yaml }) => yaml), everyMs: scrapeMs },
    )
    ends.unshift(() => prometheus.stop())
    for (const name of names) await ask(name)
  }, 60_000)

  afterAll(async () => {
    for (const end of ends) await end()
  }, 30_000)

  it('a host that is killed', async ({ expect }) => {
    const summaries = await seeFault(prometheus, {
      alerts: { HostDown: { host: 'killed' }, AllHostsOfModelDown: { model: 'org/killed' } },
      panels: { 'State of hosts': ({ value }) => value === 0 },
      chosen: { rateInterval, values: { host: ['killed'] } },
      begin() {
        const host = doubleOf('killed')
        host.crash()
        return () => host.openListener()
      },
    })
    expect(summaries).toEqual(['Host killed is down.', 'No host serves org/killed.'])
  })

  it('a line that fills up and stands', async ({ expect }) => {
    const summaries = await seeFault(prometheus, {
      alerts: { QueueStanding: { model: 'org/held', class: 'default' } },
      panels: {
        'Waiting requests by class': ({ value }) => value >= lineMax,
        'Oldest wait by class': ({ value }) => value > patienceMs / 2_000,
        'Refused by the line': ({ labels, value }) => labels['reason'] === 'full' && value > 0,
      },
      chosen: { rateInterval, values: { model: ['org/held'] } },
      begin() {
        const left = new AbortController()
        const waiting = Array.from({ length: lineMax + 1 }, () => ask('held', { max_tokens: 10_000 }, left.signal))
        const stopRefused = whileLasts(() => ask('held', {}, left.signal))
        return async () => {
          left.abort()
          await Promise.all([...waiting, stopRefused()])
        }
      },
    })
    expect(summaries).toEqual(['The line for org/held (default) stands.'])
  })

  it('a storm of 429', async ({ expect }) => {
    const summaries = await seeFault(prometheus, {
      alerts: { RateLimitStorm: { key: 'stormed' } },
      panels: {
        'What limits decided': ({ labels, value }) => labels['decision'] === 'reject' && value > 1,
        'Requests by status': ({ labels, value }) => labels['status'] === '429' && value > 1,
        'Rejected by key, the ten most': ({ value }) => value > 1,
      },
      chosen: { rateInterval, values: { key: ['stormed'] } },
      begin: () => whileLasts(() => ask('stormed'), 20),
    })
    expect(summaries).toEqual(['Most requests of stormed are answered 429.'])
  })

  it('a failure that LMX writes into the text of an answer', async ({ expect }) => {
    const summaries = await seeFault(prometheus, {
      alerts: { HostErrors: { host: 'failing', reason: 'upstream_bad_response' } },
      panels: {
        'Failed attempts': ({ labels, value }) => labels['reason'] === 'upstream_bad_response' && value > 0,
      },
      chosen: { rateInterval, values: { host: ['failing'] } },
      begin: () => everyOther('failing', { errorAfterTokens: 2 }),
    })
    expect(summaries).toEqual(['Host failing fails requests: upstream_bad_response.'])
  })

  it('a stream that is truncated', async ({ expect }) => {
    const summaries = await seeFault(prometheus, {
      alerts: { StreamTruncations: { model: 'org/breaking' } },
      panels: {
        'Answers that broke off': ({ value }) => value > 0.01,
        'Requests by outcome': ({ labels, value }) => labels['outcome'] === 'broken' && value > 0,
        'Requests by end code': ({ labels, value }) => labels['end'] === 'UD' && value > 0,
      },
      chosen: { rateInterval, values: { model: ['org/breaking'] } },
      begin: () => everyOther('breaking', { cutAfterTokens: 3 }),
    })
    expect(summaries).toEqual(['Streams of org/breaking break off.'])
  })

  it('a model most of whose requests fail', async ({ expect }) => {
    const summaries = await seeFault(prometheus, {
      alerts: { ModelFailing: { model: 'org/hopeless' } },
      panels: {
        'Not answered, by model': ({ value }) => value > 0.5,
        'Requests by outcome': ({ labels, value }) => labels['outcome'] === 'failed' && value > 0,
        'Failed share': ({ value }) => value > 0.5,
      },
      chosen: { rateInterval, values: { model: ['org/hopeless'] } },
      begin: () => allButEach(3, 'hopeless', { internalError: true }),
    })
    expect(summaries).toEqual(['Most requests for org/hopeless fail.'])
  })

  const doubleOf = (name: Name): LmxDouble => {
    const double = doubles.get(name)
    if (double === undefined) throw new Error(`no host ${name} was started`)
    return double
  }

  const everyOther = (name: Name, plan: FaultPlan) => allButEach(2, name, plan)

  /** A host that failed each time would be left alone, and fail no more. */
  const allButEach = (nth: number, name: Name, plan: FaultPlan): (() => Promise<void>) => {
    let turn = 0
    return whileLasts(() => {
      turn += 1
      if (turn % nth !== 0) doubleOf(name).faults.next(plan)
      return ask(name)
    })
  }

  /** Resolves when the answer has ended, however it did. */
  const ask = async (name: Name, more: object = {}, signal?: AbortSignal): Promise<void> => {
    const body = { model: `org/${name}`, stream: true, messages: [{ role: 'user', content: 'Hello' }], ...more }
    const headers = { authorization: `Bearer ${keys.get(name) ?? ''}`, 'content-type': 'application/json' }
    const asked = { method: 'POST', headers, body: JSON.stringify(body), ...(signal === undefined ? {} : { signal }) }
    await fetch(`${gateway.baseUrl}/chat/completions`, asked)
      .then((response) => response.text())
      .catch(() => {})
  }
})

/** What is held would be over at once, else. */
function slow(name: Name) {
  return { decodeTokensPerSecond: name === 'held' ? 20 : 500 }
}

/** Again and again, one after the other; the returned function ends it. */
function whileLasts(act: () => Promise<void>, everyMs = 100): () => Promise<void> {
  const stopped = new AbortController()
  const acting = (async () => {
    while (!stopped.signal.aborted) {
      await act()
      await pause(everyMs)
    }
  })()
  return () => {
    stopped.abort()
    return acting
  }
}
