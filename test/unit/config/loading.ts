/** Configurations as tests give them: text, variables and flags, in folders that go away with the test. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { Environment } from '../../../src/config/interpolation.ts'
import { type LoadedConfig, loadConfig } from '../../../src/config/load.ts'
import { formatProblem } from '../../../src/config/problem.ts'

let folder: string
/** Where no file is. */
let empty: string
let count = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-config-'))
  empty = await mkdtemp(join(tmpdir(), 'lmx-gateway-config-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
  await rm(empty, { recursive: true })
})

export interface Given {
  yaml?: string
  environment?: Environment
  flags?: Record<string, string | string[]>
}

export async function load({ yaml, environment = {}, flags = {} }: Given): Promise<LoadedConfig> {
  const values = new Map(Object.entries(flags).map(([name, value]) => [name, [value].flat()]))
  if (yaml !== undefined) {
    const file = join(folder, `${++count}.yaml`)
    await writeFile(file, yaml)
    values.set('config', [file])
  }
  return loadConfig({ flags: values, environment, folder: empty })
}

/** The problems as printed, with `F` for the path of the file. */
export async function problems(given: Given): Promise<string[]> {
  const loaded = await load(given)
  return loaded.kind === 'good'
    ? []
    : loaded.problems.map((problem) => formatProblem(problem).replaceAll(loaded.file ?? '?', 'F'))
}

export async function good(given: Given) {
  const loaded = await load(given)
  if (loaded.kind === 'bad') throw new Error(loaded.problems.map(formatProblem).join('\n'))
  return loaded.config
}
