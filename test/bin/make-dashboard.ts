/** Writes the Grafana boards: `node test/bin/make-dashboard.ts`, after a change in `test/kit/dashboard/` or `test/kit/rules/`. */

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { boardPath, boards } from '../kit/dashboard/boards.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const paths = boards().map((board) => {
  const path = boardPath(board)
  writeFileSync(`${root}${path}`, JSON.stringify(board))
  return path
})
// The JSON is formatted like every other file here.
execFileSync(`${root}node_modules/.bin/biome`, ['format', '--write', ...paths], { cwd: root, stdio: 'inherit' })
