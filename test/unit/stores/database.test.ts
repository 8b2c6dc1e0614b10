import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkStructure, Database, wasClosed } from '../../../src/stores/database.ts'

/** Most of it a hole, which takes no time to make. */
function fileOf(path: string, bytes: number) {
  writeFileSync(path, '')
  const database = new Database(path)
  database.exec('CREATE TABLE a (b)')
  database.close()
  truncateSync(path, bytes)
  return new Database(path, { readOnly: true })
}

test.each([
  [100_000_000, true, 'looked at'],
  [300_000_000, false, 'looked at'],
  [300_000_000, true, 'not looked at'],
])('a file of %i bytes that was closed (%s) is %s at a start', (bytes, isClosed, what) => {
  const folder = mkdtempSync(join(tmpdir(), 'lmx-gateway-database-'))
  const database = fileOf(join(folder, 'a.db'), bytes)
  const get = database.get.bind(database)
  let isAsked = false
  database.get = (sql, values) => {
    isAsked = true
    return get(sql, values)
  }
  checkStructure(database, isClosed)
  expect(isAsked).toBe(what === 'looked at')
  database.close()
  rmSync(folder, { recursive: true })
})

test('a log that is left tells of an end that was no clean one', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lmx-gateway-database-'))
  const path = join(folder, 'a.db')
  writeFileSync(path, '')
  const database = new Database(path)
  database.exec('CREATE TABLE a (b)')
  expect(wasClosed(path)).toBe(false)
  database.close()
  expect(wasClosed(path)).toBe(true)
  rmSync(folder, { recursive: true })
})
