/**
 * Writes how many tests passed, failed and were skipped to a file, three numbers, so that CI can add up several runs, and
 * names those that passed only when they were tried again: a test that does so often is to be mended.
 */

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
    for (const name of passedLate(modules)) process.stdout.write(`passed only when tried again: ${name}\n`)
    if (this.#file === undefined) return
    const { passed, failed, skipped } = countTests(modules, unhandledErrors.length)
    writeFileSync(this.#file, `${passed} ${failed} ${skipped}\n`)
  }
}

function passedLate(modules: readonly TestModule[]): string[] {
  return modules.flatMap((module) =>
    [...module.children.allTests()]
      .filter((test) => test.diagnostic()?.flaky === true)
      .map((test) => `${module.relativeModuleId} > ${test.fullName}`),
  )
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
