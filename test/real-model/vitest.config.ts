/** The test before a real model runs apart from the others, since what it needs is installed apart. */

import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { CountsReporter } from '../kit/reporter.ts'

const timeoutMs = 120_000

// oxlint-disable-next-line import/no-default-export -- the form in which vitest reads a configuration
export default defineConfig({
  test: {
    name: 'real-model',
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: ['test/real-model/**/*.test.ts'],
    setupFiles: ['test/kit/setup.ts'],
    reporters: ['default', new CountsReporter(process.env['TEST_COUNTS_FILE'])],
    pool: 'forks',
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    expect: { requireAssertions: true },
  },
})
