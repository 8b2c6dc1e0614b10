/** Writes the parts of README that are made from code. */
import { readFileSync, writeFileSync } from 'node:fs'
import { withTables } from '../kit/readme-tables.ts'

const readme = new URL('../../README.md', import.meta.url)
writeFileSync(readme, withTables(readFileSync(readme, 'utf8')))
