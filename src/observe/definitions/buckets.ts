/** Sets of bucket edges: metrics that are compared share one. */

/** Waits until something happens, in seconds; edges at the usual objectives, long enough for a 100k-token prefill on a Mac. */
export const waitBuckets = [
  0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600,
]
/** Whole requests, in seconds. */
export const durationBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600]
/** Seconds per output token. */
export const perTokenBuckets = [
  0.002, 0.004, 0.006, 0.008, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.125, 0.15, 0.2,
  0.3, 0.5, 1, 2,
]
/** Tokens of a prompt or an answer: powers of two. */
export const tokenBuckets = Array.from({ length: 19 }, (_, power) => 2 ** power)
/** Loads of a model into memory, in seconds. */
export const loadBuckets = [1, 2.5, 5, 10, 15, 20, 30, 45, 60, 90, 120, 300, 600, 1200, 1800]
/** What was, by what was told. */
export const ratioBuckets = [0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10]
/** Steps of the gateway's own work, in seconds: from 10 microseconds to what would hold up every stream. */
export const workBuckets = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.5]
/** How late timers are, in seconds: from what a timer is by nature to what makes the gateway shed load, and far beyond. */
export const delayBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5]
