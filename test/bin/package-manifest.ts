/**
 * Readies package.json for the published package (`drop`, before packing) and puts it back (`restore`, after).
 * The Node that comes along in a clone is for development: 60 MB are too much to ask of those who have one.
 */

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const manifest = `${root}package.json`
const kept = `${root}node_modules/.package.json.kept`

const tasks: Readonly<Record<string, () => void>> = { drop, restore, refuse }
const task = tasks[process.argv[2] ?? '']
if (task === undefined) throw new Error(`say one of ${Object.keys(tasks).join(', ')}`)
task()

function drop(): void {
  // Left over from a packing that broke off: the true one.
  restore()
  const text = readFileSync(manifest, 'utf8')
  const published = JSON.parse(text) as Record<string, unknown>
  delete published['optionalDependencies']
  delete published['devDependencies']
  delete published['scripts']
  writeFileSync(kept, text)
  writeFileSync(manifest, `${JSON.stringify(published, null, 2)}\n`)
}

function restore(): void {
  if (existsSync(kept)) renameSync(kept, manifest)
}

/** npm publishes a folder with the manifest as it stands after packing, that is with all that was dropped. */
function refuse(): void {
  console.error('Publish the packed file instead: npm pack && npm publish ./lmx-gateway-<version>.tgz')
  process.exitCode = 1
}
