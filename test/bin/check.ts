/** `npm run check`: everything but the long tests, gate by gate; stops at the first that fails and says what to do. */

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Gate {
  readonly name: string
  /** Run in turn; or a function that returns what is wrong, if anything. */
  readonly steps: readonly (string | (() => string | undefined))[]
  readonly fix: string
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const environment = { ...process.env, PATH: [join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter) }

/** What programs of ours write: running them again must change nothing. */
const generated = ['README.md', 'grafana/**/*', 'src/config/defaults.ts', 'src/config/plain-bounds.ts']

const gates: readonly Gate[] = [
  { name: 'format', steps: ['biome check'], fix: 'npm run format' },
  {
    name: 'lint',
    steps: ['oxlint --type-aware --deny-warnings --report-unused-disable-directives'],
    fix: 'npm run lint, and mend what it names',
  },
  { name: 'types', steps: ['tsc -p .', 'tsc -p test/real-model'], fix: 'npm run typecheck, and mend what it names' },
  {
    name: 'dead code',
    // The second run looks away from the tests: code that only its own tests use is dead.
    steps: ['knip --config .config/knip.jsonc', 'knip --config .config/knip.jsonc --production --workspace .'],
    fix: 'remove it, or the "export" before it (.config/knip.jsonc holds the exceptions, with reasons)',
  },
  {
    name: 'tidy',
    steps: ['vitest run --config test/vitest.config.ts --project tidy --reporter dot'],
    fix: 'npm test -- --project tidy, and mend what it names',
  },
  { name: 'build', steps: ['npm run --silent build', runsAndTellsItsVersion], fix: 'npm run build' },
  { name: 'generated files', steps: [generatesTheSame], fix: 'commit what changed, after a look' },
]

process.exitCode = check() ? 0 : 1

function check(): boolean {
  for (const gate of gates) {
    const startMs = performance.now()
    const failure = firstFailure(gate)
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(1).padStart(5)
    console.log(`${failure === undefined ? 'ok  ' : 'FAIL'} ${seconds} s  ${gate.name}`)
    if (failure === undefined) continue
    console.log(`\n${failure.trim()}\n\nTo mend it: ${gate.fix}`)
    return false
  }
  return true
}

function firstFailure(gate: Gate): string | undefined {
  for (const step of gate.steps) {
    const failure = typeof step === 'string' ? runFailure(step) : step()
    if (failure !== undefined) return failure
  }
  return undefined
}

function runFailure(command: string): string | undefined {
  const { status, output } = run(command)
  return status === 0 ? undefined : `$ ${command}\n${output}`
}

function run(command: string): { status: number | null; output: string } {
  const [program = '', ...args] = command.split(' ')
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: root, env: environment, encoding: 'utf8' })
  return { status, output: error === undefined ? stdout + stderr : error.message }
}

function runsAndTellsItsVersion(): string | undefined {
  const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string }
  const { status, output } = run('node dist/launch.js --version')
  if (status === 0 && output.trim().endsWith(version)) return undefined
  return `node dist/launch.js --version should say ${version} and said, with exit code ${status}: ${output}`
}

function generatesTheSame(): string | undefined {
  const before = hashes()
  const failure = runFailure('npm run --silent generate')
  if (failure !== undefined) return failure
  const after = hashes()
  const changed = [...after.keys()].filter((path) => after.get(path) !== before.get(path))
  return changed.length === 0
    ? undefined
    : `npm run generate changed ${changed.map((path) => path.slice(root.length)).join(', ')}`
}

function hashes(): Map<string, string> {
  const files = globSync([...generated], { cwd: root, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = files.map((entry) => join(entry.parentPath, entry.name))
  return new Map(paths.map((path) => [path, createHash('sha256').update(readFileSync(path)).digest('hex')]))
}
