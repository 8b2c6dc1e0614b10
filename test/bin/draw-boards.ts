/**
 * `npm run pictures`: draws the dashboards from what a real Prometheus measured of a real gateway before simulated hosts,
 * into grafana/pictures. Grafana itself is not needed: the panels, their queries and units are those of the JSON files.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Board } from '../kit/drawing/board.ts'
import { drawBoard } from '../kit/drawing/board-drawing.ts'
import { startBusyHouse } from '../kit/drawing/busy-house.ts'
import { prometheusMissing, startPrometheus } from '../kit/prometheus.ts'
import { ruleFiles } from '../kit/rules/rule-files.ts'
import { job } from '../kit/rules/rule-shapes.ts'

const minutesDefault = 6
const pictures = [
  { file: 'overview', board: 'lmx-gateway-overview' },
  { file: 'latency', board: 'lmx-gateway', row: 'Latency' },
  { file: 'throughput', board: 'lmx-gateway', row: 'Throughput' },
  { file: 'line', board: 'lmx-gateway', row: 'The line and fairness' },
] as const

const folder = fileURLToPath(new URL('../../grafana/', import.meta.url))
const minutes = Number(process.argv[2] ?? minutesDefault)
if (prometheusMissing) {
  console.error('The pictures need Prometheus on the PATH (apt-get install prometheus).')
  process.exit(1)
}
if (!(minutes >= 1 && minutes <= 60)) {
  console.error('node test/bin/draw-boards.ts [MINUTES]: from 1 to 60 minutes of traffic, 6 unless said.')
  process.exit(1)
}

await using house = await startBusyHouse()
const targets = [new URL(house.gateway.adminUrl).host]
const ofHosts = house.hosts.map(({ name, url }) => ({ targets: [new URL(url).host], labels: { host: name } }))
const prometheus = await startPrometheus(
  [
    { job_name: job, static_configs: [{ targets }] },
    { job_name: 'lmx', metrics_path: '/admin/metrics', static_configs: ofHosts },
  ],
  { ruleFiles: ruleFiles().map(({ yaml }) => yaml) },
)
try {
  console.log(`Minutes of traffic: ${minutes}`)
  const from = Date.now() / 1_000
  await house.work(minutes)
  const to = Date.now() / 1_000
  mkdirSync(`${folder}pictures`, { recursive: true })
  // Without the first half minute, in which rates have no past to speak of.
  const span = { from: from + 30, to, step: 2 }
  for (const picture of pictures) {
    const board = JSON.parse(readFileSync(`${folder}dashboards/${picture.board}.json`, 'utf8')) as Board
    const row = 'row' in picture ? picture.row : undefined
    const svg = await drawBoard(board, { prometheusUrl: prometheus.url, span, rateInterval: '20s' }, row)
    writeFileSync(`${folder}pictures/${picture.file}.svg`, svg)
    console.log(`grafana/pictures/${picture.file}.svg`)
  }
} finally {
  await prometheus.stop()
}
