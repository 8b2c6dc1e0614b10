/** `npm run test:soak -- --minutes 10 --seed 1`: the soak by hand, with its figures; exit code 1 when anything was wrong. */
import { parseArgs } from 'node:util'
import { inMiB, type SoakReport, soak } from './soak.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    streams: { type: 'string', default: '200' },
    'warm-up': { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  },
})

const violationsShown = 40

const report = await soak({
  minutes: numberOf('minutes'),
  seed: numberOf('seed'),
  streams: numberOf('streams'),
  warmUpSeconds: numberOf('warm-up'),
  tokensPerSecond: 8,
  heapShareMax: 0.05,
  say: (line) => console.error(line),
})
console.log(values.json ? JSON.stringify(report, null, 2) : table(report))
process.exitCode = report.violations.length === 0 ? 0 : 1

function numberOf(name: 'minutes' | 'seed' | 'streams' | 'warm-up'): number {
  const value = Number(values[name])
  if (!Number.isFinite(value) || value <= 0) throw new Error(`--${name} must be a number above 0, not ${values[name]}`)
  return value
}

function table({ requests, seconds, seed, verdicts, faults, restarts, baseline, end, tokens, violations }: SoakReport) {
  const share = ((end.heapBytes / baseline.heapBytes - 1) * 100).toFixed(1)
  return [
    `${requests} requests in ${seconds} s (seed ${seed}), ${restarts} host restarts`,
    'How they ended for their clients:',
    ...rows(verdicts),
    'Faults of the hosts:',
    ...rows(faults),
    `Heap after a collection: ${inMiB(baseline.heapBytes)} MiB before, ${inMiB(end.heapBytes)} MiB after (${share} %)`,
    `Sockets: ${baseline.sockets} before, ${end.sockets} after`,
    'Tokens by the metrics, and by the hosts and clients:',
    ...tokens.map((one) => `  ${one.host} ${one.type}: ${one.metrics} and ${one.hosts}, difference ${one.difference}`),
    `${violations.length} violations`,
    ...violations.slice(0, violationsShown).map((violation) => `  ${violation}`),
  ].join('\n')
}

function rows(counts: Readonly<Record<string, number>>): string[] {
  return Object.entries(counts).map(([name, count]) => `  ${String(count).padStart(7)}  ${name}`)
}
