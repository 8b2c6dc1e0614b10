/** How tests run: one project per kind of test, so that the path of a file says what it may do and how long it may take. */

import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { CountsReporter } from './kit/reporter.ts'

interface ProjectLimits {
  pool: 'threads' | 'forks'
  testTimeoutMs: number
  /** How often a test that failed is tried again, and for which errors; absent: for any. */
  retry: { count: number; condition?: RegExp }
}

/** CI shares its machine: what waits for sockets and processes gets a second chance there, which the reporter tells of. */
const count = process.env['CI'] === 'true' ? 1 : 0
const again = { count }
/** What needs neither fails for a reason, unless it was given no time. */
const againIfLate = { count, condition: /timed out/ }

/** The deadlines here are a last net; a test names what it waits for with `within` (test/kit/within.ts). */
const fast: ProjectLimits = { pool: 'threads', testTimeoutMs: 5_000, retry: againIfLate }
const sockets: ProjectLimits = { pool: 'forks', testTimeoutMs: 30_000, retry: again }
const processes: ProjectLimits = { pool: 'forks', testTimeoutMs: 120_000, retry: again }

const project = (name: string, limits: ProjectLimits) => ({
  extends: true as const,
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    pool: limits.pool,
    testTimeout: limits.testTimeoutMs,
    hookTimeout: limits.testTimeoutMs,
    retry: limits.retry,
  },
})

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('..', import.meta.url)),
    setupFiles: ['test/kit/setup.ts'],
    reporters: ['default', new CountsReporter(process.env['TEST_COUNTS_FILE'])],
    maxWorkers: 2,
    restoreMocks: true,
    expect: { requireAssertions: true },
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      // Seen only by tests that start the program as a process of its own.
      exclude: ['src/main.ts', 'src/cli/commands/serve.ts', 'src/cli/commands/check-config.ts'],
      reporter: [['text', { skipFull: true }]],
      reportOnFailure: true,
      // Floors only go up; what decides about requests has the higher one.
      thresholds: {
        lines: 92,
        branches: 85,
        'src/{balancing,queue,relay,wire}/**': { lines: 95, branches: 88 },
      },
    },
    projects: [
      project('unit', fast),
      project('tidy', fast),
      project('docs', processes),
      project('contract', sockets),
      project('integration', sockets),
      project('e2e', processes),
      project('soak', processes),
      project('outside', processes),
    ],
  },
})
