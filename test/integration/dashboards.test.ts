/** Every query of every board, asked of a real Prometheus that scrapes a gateway and its LMX hosts under load. */

import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { annotations } from '../kit/dashboard/annotations.ts'
import { asGrafana } from '../kit/dashboard/as-grafana.ts'
import { boards } from '../kit/dashboard/boards.ts'
import { type BusyFleet, replicas, startBusyFleet } from '../kit/dashboard/busy-fleet.ts'
import { type BusyGateway, model, startBusyGateway } from '../kit/dashboard/busy-gateway.ts'
import { loadedInTurns } from '../kit/dashboard/loading-host.ts'
import { sharing } from '../kit/dashboard/rows/sharing.ts'
import { type Prometheus, prometheusMissing, startPrometheus } from '../kit/prometheus.ts'
import { hasRedis } from '../kit/redis.ts'
import { ruleFiles } from '../kit/rules/rule-files.ts'
import { becomesTrue } from '../kit/within.ts'

const mustRun = process.env['CI'] === 'true'
if (prometheusMissing && !mustRun) {
  process.stderr.write(
    'prometheus is not installed (apt-get install prometheus): the queries of boards are not asked\n',
  )
}

const isShared = hasRedis || mustRun
if (!isShared) {
  process.stderr.write('redis-server is not installed: the queries of boards on several gateways are not asked\n')
}

/** With a scrape each second more than the four that a rate wants. */
const rateInterval = '10s'
const panels = boards().flatMap((board) => board.panels)
const ofSeveral = queriesOf(sharing.map(({ title }) => title))
const queries = queriesOf(panels.map(({ title = '' }) => title)).filter((expr) => isShared || !ofSeveral.includes(expr))

/** The annotation that is there for a minute only. */
const started = 'Gateway started'
const ejected = 'Host ejected'

/** What the load does on purpose, so that no panel passes by a line that lies at 0. */
const happened = [
  'requests_total{status="429"}',
  'requests_total{end=~"U.",status="200"}',
  'requests_total{status="499"}',
  ...['ok', 'left', 'limited', 'failed', 'broken'].map((outcome) => `request_outcomes_total{outcome="${outcome}"}`),
  'host_generating_seconds_total',
  'prefill_token_seconds_total',
  'ratelimit_decisions_total{decision="queue"}',
  'ratelimit_decisions_total{decision="reject"}',
  'failovers_total{result="ok"}',
  'stream_stalls_total',
  'bulk_given_back_total',
  'host_errors_total',
  'whole_seconds_total',
  'prefill_tokens_total',
  'discarded_tokens_total',
  'slo_requests_total{slo="ttft",met="false"}',
  'wait_estimate_ratio_count',
  'ratelimit_reservation_ratio_count',
  'routing_decisions_total',
  'routing_first_token_ratio_count',
  'prefix_cached_tokens_total',
  'model_loads_total{result="ok"}',
  'model_evictions_total',
  'model_resident',
  'host_decode_tokens_per_second',
  'host_memory_used_ratio',
  'host_cache_used_ratio',
].map((metric) => `sum(lmx_gateway_${metric}) > 0`)

describe.skipIf(prometheusMissing && !mustRun)('the queries of the boards', () => {
  let busy: BusyGateway
  /** Null where there is no Redis. */
  let fleet: BusyFleet | null = null
  let prometheus: Prometheus

  beforeAll(async () => {
    fleet = isShared ? await startBusyFleet() : null
    busy = await startBusyGateway()
    const gateways = [busy.gateway, ...(fleet?.gateways ?? [])]
    const targets = gateways.map(({ adminUrl }) => new URL(adminUrl).host)
    const lmxTargets = Array.from(busy.doubles, ([host, { url }]) => ({
      targets: [new URL(url).host],
      labels: { host },
    }))
    prometheus = await startPrometheus(
      [
        { job_name: 'lmx-gateway', static_configs: [{ targets }] },
        { job_name: 'lmx', metrics_path: '/admin/metrics', static_configs: lmxTargets },
      ],
      { ruleFiles: ruleFiles({ factor: 60 }).map(({ yaml }) => yaml) },
    )
  }, 60_000)

  afterAll(async () => {
    await busy.stop()
    await fleet?.stop()
    await prometheus.stop()
  }, 30_000)

  it('mark the start of a gateway', async () => {
    expect(await unansweredAfter(prometheus, marksOf([started]), 30_000)).toEqual([])
  }, 60_000)

  it('all have an answer with figures', async () => {
    const asked = queries.map((expr) => asGrafana(expr, { rateInterval }))
    expect(await unansweredAfter(prometheus, asked, 90_000)).toEqual([])
    expect(queries.length).toBeGreaterThan(120)
    const targets = await prometheus.targets()
    expect(new Set(targets.map(({ health }) => health))).toEqual(new Set(['up']))
    expect(targets).toHaveLength(isShared ? 6 : 4)
  }, 120_000)

  it('are asked of a gateway in which everything happens that they are for', async () => {
    expect(await unansweredAfter(prometheus, happened, 30_000)).toEqual([])
  }, 60_000)

  it('all have one with values chosen in the variables, too', async () => {
    const values = {
      model: [model, ...loadedInTurns],
      host: ['studio', 'mini', 'pc', 'gpu'],
      key: ['person', 'night', 'guest'],
    }
    const asked = queries.map((expr) => asGrafana(expr, { rateInterval, values }))
    expect(await unansweredAfter(prometheus, asked, 60_000)).toEqual([])
  }, 90_000)

  it.skipIf(!isShared)(
    'tell the gateways of one fleet apart, and leave out whoever is not chosen',
    async () => {
      const [east, west] = replicas
      // On a busy machine a scrape may come too late, and the next one not.
      const names = async (expr: string) =>
        (await prometheus.query(expr)).map(({ metric }) => metric['replica'] ?? '').toSorted()
      const inFlight = 'sum by (replica) (lmx_gateway_host_inflight)'
      const all = ['', ...replicas].join()
      await becomesTrue(30_000, 'figures of all', async () => (await names(inFlight)).join() === all)
      const [requests = ''] = queriesOf(['Requests by gateway'])
      const ofEast = asGrafana(requests, { rateInterval, values: { replica: [east] } })
      await becomesTrue(30_000, 'requests of one alone', async () => (await names(ofEast)).join() === east)
      expect(await names(ofEast)).not.toContain(west)
    },
    90_000,
  )

  it('show parts of the time to the first token that add up to its mean', async () => {
    const parts = asGrafana(exprOf('Where the time to the first token went'), { rateInterval })
    const mean = `${ttftRate('sum')} / ${ttftRate('count')}`
    // While series are young, rate() guesses where each began, and not the same for all.
    const agrees = `abs(sum(${parts}) / (${mean}) - 1) < 0.01`
    expect(await unansweredAfter(prometheus, [agrees], 30_000)).toEqual([])
  }, 60_000)

  it('would not pass where there is no data', async () => {
    expect(await unansweredAfter(prometheus, ['lmx_gateway_no_such'], 100)).toEqual(['lmx_gateway_no_such'])
    const nobody = queries.map((expr) => asGrafana(expr, { rateInterval, values: { host: ['nobody'] } }))
    expect((await unansweredAfter(prometheus, nobody, 100)).length).toBeGreaterThan(30)
  })

  it('mark hosts that are ejected and then down, and the loss of what they alone had', async () => {
    // Between two ejections it has a chance to prove itself, and one that is down is not ejected.
    expect(await unansweredAfter(prometheus, marksOf([ejected]), 60_000)).toEqual([])
    await busy.doubles.get('attic')?.stop()
    const others = annotations.map(({ name }) => name).filter((name) => name !== started && name !== ejected)
    expect(others).toHaveLength(2)
    expect(await unansweredAfter(prometheus, marksOf(others), 30_000)).toEqual([])
  }, 100_000)
})

/** Each once. */
function queriesOf(titles: readonly string[]): string[] {
  const chosen = panels.filter(({ title = '' }) => titles.includes(title))
  return [...new Set(chosen.flatMap((panel) => targetsOf(panel).map(({ expr }) => expr)))]
}

/** Of the one panel with this title. */
function exprOf(title: string): string {
  const [expr] = queriesOf([title])
  if (expr === undefined) throw new Error(`no panel ${title}`)
  return expr
}

function ttftRate(part: 'sum' | 'count'): string {
  return `sum(rate(lmx_gateway_time_to_first_token_seconds_${part}[${rateInterval}]))`
}

function marksOf(names: readonly string[]): string[] {
  return annotations.filter(({ name }) => names.includes(name)).map(({ expr }) => asGrafana(expr, { rateInterval }))
}

/** Queries that found no figure until the deadline. One that is not PromQL throws. */
async function unansweredAfter(prometheus: Prometheus, asked: readonly string[], ms: number): Promise<string[]> {
  const deadlineMs = performance.now() + ms
  let open = [...asked]
  for (;;) {
    const answers = await Promise.all(open.map((expr) => hasFigure(prometheus, expr)))
    open = open.filter((_, index) => !answers[index])
    if (open.length === 0 || performance.now() > deadlineMs) return open
    await pause(250)
  }
}

async function hasFigure(prometheus: Prometheus, expr: string): Promise<boolean> {
  const samples = await prometheus.query(expr)
  return samples.some(({ value: [, figure] }) => Number.isFinite(Number(figure)))
}

function targetsOf(panel: object): readonly { expr: string }[] {
  return 'targets' in panel ? (panel.targets as { expr: string }[]) : []
}
