/** Whether memory grows over a soak: the slope of a line through its samples. */

export interface Sample {
  readonly atMs: number
  readonly liveBytes: number
  readonly residentBytes: number
}

/** Least squares, in bytes a minute; 0 where there are too few samples for a line. */
export function growthPerMinute(samples: readonly Sample[], of: (sample: Sample) => number): number {
  const meanMs = mean(samples.map(({ atMs }) => atMs))
  const meanBytes = mean(samples.map(of))
  const spread = samples.reduce((sum, { atMs }) => sum + (atMs - meanMs) ** 2, 0)
  if (spread === 0) return 0
  const both = samples.reduce((sum, sample) => sum + (sample.atMs - meanMs) * (of(sample) - meanBytes), 0)
  return (both / spread) * 60_000
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
}
