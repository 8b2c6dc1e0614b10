/** The plot: a bar for each target of each figure that several have. */
import { expect, test } from 'vitest'
import type { BenchReport } from '../../bench/report.ts'
import { spreadOf } from '../../bench/statistics.ts'
import { svgOf } from '../../bench/svg-plot.ts'

const rest = { unit: 'µs', ratioToNginx: null, must: 45, goal: 28, better: 'lower' } as const
const report: BenchReport = {
  node: '26.0.0',
  flags: [],
  rounds: 3,
  scale: 1,
  targets: { gateway: 'aaaa' },
  gatewayRuns: 'compiled',
  machine: {
    model: 'A <CPU>',
    kernel: 'Linux 6',
    atStart: { cores: 2, loadAverage: 0, busyShare: 0, stolenShare: 0 },
    loadAverageAtEnd: 0,
    cores: '',
  },
  calibration: null,
  parts: [
    {
      name: 'tokens',
      words: '',
      rows: [
        { ...rest, figure: 'a & b', byTarget: { nginx: spreadOf([20]), gateway: spreadOf([50, 40, 60]) } },
        { ...rest, figure: 'alone', byTarget: { gateway: spreadOf([1]) } },
        { ...rest, figure: 'less than nothing', byTarget: { direct: spreadOf([0]), gateway: spreadOf([-1]) } },
      ],
    },
  ],
  notes: [],
  tookMs: 1,
}

test('a figure that one target alone has is not drawn, and no width is negative', () => {
  const svg = svgOf(report)
  expect(svg).toContain('a &amp; b [µs]')
  expect(svg).toContain('A &lt;CPU&gt;')
  expect(svg).not.toContain('alone')
  const widths = [...svg.matchAll(/<rect x="380"[^>]* width="([^"]+)"/g)].map((match) => Number(match[1]))
  expect(widths).toHaveLength(4)
  expect(Math.min(...widths)).toBe(0)
  // The highest end of an interval or bound takes all the room.
  expect(widths[1]! / widths[0]!).toBeCloseTo(2.5, 1)
})
