/** Writes how many tests passed, failed and were skipped to a file, three numbers, so that CI can add up several runs. */

import { writeFileSync } from 'node:fs'
import type { Reporter, SerializedError, TestModule } from 'vitest/node'

interface Counts {
  passed: number
  failed: number
  skipped: number
}

export class CountsReporter implements Reporter {
  readonly #file: string | undefined

  constructor(file: string | undefined) {
    this.#file = file
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    if (this.#file === undefined) return
    const { passed, failed, skipped } = countTests(modules, unhandledErrors.length)
    writeFileSync(this.#file, `${passed} ${failed} ${skipped}\n`)
  }
}

/** A file that could not be loaded and an error outside every test count as one failure each. */
function countTests(modules: readonly TestModule[], unhandledErrors: number): Counts {
  const counts: Counts = { passed: 0, failed: unhandledErrors, skipped: 0 }
  for (const module of modules) {
    let failedInModule = 0
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === 'passed') counts.passed += 1
      else if (state === 'skipped') counts.skipped += 1
      else failedInModule += 1
    }
    if (!module.ok() && failedInModule === 0) failedInModule = 1
    counts.failed += failedInModule
  }
  return counts
}
