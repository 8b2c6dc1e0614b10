/** Writes the Grafana dashboard: `node test/bin/make-dashboard.ts`, after a change in `test/kit/dashboard/`. */

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { dashboard, dashboardPath } from '../kit/dashboard/dashboard.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
writeFileSync(`${root}${dashboardPath}`, JSON.stringify(dashboard()))
// The JSON is formatted like every other file here.
execFileSync(`${root}node_modules/.bin/biome`, ['format', '--write', dashboardPath], { cwd: root, stdio: 'inherit' })
