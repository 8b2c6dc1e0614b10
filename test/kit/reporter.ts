/**
 * Writes how many tests passed, failed and were skipped to a file, three numbers, so that CI can add up several runs, and
 * below them which failed and why, a line each, so that CI can name them at its end. Names those that passed only when they
 * were tried again: a test that does so often is to be mended.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import type { Reporter, SerializedError, TestModule } from 'vitest/node'
import { missing } from '../outside/tool.ts'

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
    // Of many files: said once, and not by each.
    if (modules.some(({ moduleId }) => usesRedis(moduleId))) missing('redis-server', '--version', 'redis-server')
    for (const name of passedLate(modules)) process.stdout.write(`passed only when tried again: ${name}\n`)
    if (this.#file === undefined) return
    const { passed, failed, skipped } = countTests(modules, unhandledErrors.length)
    const lines = [`${passed} ${failed} ${skipped}`, ...failures(modules), ...unhandledErrors.map(toldOf)]
    writeFileSync(this.#file, `${lines.join('\n')}\n`)
  }
}

function usesRedis(file: string): boolean {
  return readFileSync(file, 'utf8').includes('hasRedis')
}

function failures(modules: readonly TestModule[]): string[] {
  return modules.flatMap((module) => {
    const failed = [...module.children.allTests()].filter((test) => test.result().state === 'failed')
    const tests = failed.map((test) => `${test.fullName}: ${firstOf(test.result().errors)}`)
    const ofFile = tests.length === 0 && !module.ok() ? [firstOf(module.errors())] : []
    return [...tests, ...ofFile].map((text) => `${module.relativeModuleId} > ${text}`)
  })
}

function firstOf(errors: readonly SerializedError[] | undefined): string {
  const [first] = errors ?? []
  return first === undefined ? 'no error was told' : toldOf(first)
}

/** In one line. */
function toldOf({ message }: SerializedError): string {
  return message.replaceAll(/\s+/g, ' ').slice(0, 300)
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
