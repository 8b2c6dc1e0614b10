/** `metrics.seriesMax` unless it is set. */
export const seriesMaxDefault = 20_000
