/** `npm run test:real`: installs what only this test needs, apart from the product and only when it changed, and runs it. */

import { type SpawnSyncOptions, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const repository = fileURLToPath(new URL('../..', import.meta.url))
const lockFile = new URL('package-lock.json', import.meta.url)
/** Holds the lock file that was installed; npm removes it with everything else when it installs anew. */
const installedLockFile = new URL('node_modules/.installed-package-lock.json', import.meta.url)

process.exitCode = main()

function main(): number {
  const platform = `${process.platform}-${process.arch}`
  if (platform !== 'linux-x64') {
    process.stdout.write(`The real-model test is only wired for linux-x64, and this is ${platform}: not run.\n`)
    // Where CI asks for it, a test that did not run must not look like one that passed.
    return process.env['CI'] ? 1 : 0
  }
  return install() || runTests(process.argv.slice(2))
}

function install(): number {
  const lock = readFileSync(lockFile, 'utf8')
  if (installedLock() === lock) return 0
  // The optional packages are builds for graphics cards and other systems, 640 MB of them; no script is needed for the build that is used.
  const args = ['ci', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund']
  const failed = run('npm', args, { cwd: here })
  if (failed === 0) writeFileSync(installedLockFile, lock)
  return failed
}

function installedLock(): string | null {
  try {
    return readFileSync(installedLockFile, 'utf8')
  } catch {
    return null
  }
}

function runTests(args: readonly string[]): number {
  const vitest = fileURLToPath(new URL('vitest.mjs', import.meta.resolve('vitest/package.json')))
  const config = fileURLToPath(new URL('vitest.config.ts', import.meta.url))
  return run(process.execPath, [vitest, 'run', '--config', config, ...args], { cwd: repository })
}

function run(command: string, args: readonly string[], options: SpawnSyncOptions): number {
  const { status, error } = spawnSync(command, args, { ...options, stdio: 'inherit' })
  if (error !== undefined) process.stderr.write(`${command} cannot be run: ${error.message}\n`)
  return status ?? 1
}
