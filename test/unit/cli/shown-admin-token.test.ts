import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Secret } from '../../../src/access/secret.ts'
import { adminTokenPath, showAdminToken } from '../../../src/cli/shown-admin-token.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lmx-gateway-token-'))
})
afterEach(() => {
  chmodSync(folder, 0o700)
  rmSync(folder, { recursive: true })
})

const token = `lmx_admin_${'x'.repeat(43)}`

function shown(path: string | null, isTerminal: boolean) {
  const lines: { out: string; err: string } = { out: '', err: '' }
  const io = { out: (text: string) => (lines.out += `${text}\n`), err: (text: string) => (lines.err += `${text}\n`) }
  showAdminToken(new Secret(token), { io, path, isTerminal })
  return lines
}

describe('the admin token', () => {
  test('on a terminal it is shown, and nowhere written', () => {
    const { out, err } = shown(join(folder, 'token'), true)
    expect(out).toContain(token)
    expect(err).toBe('')
    expect(readdirSync(folder)).toEqual([])
  })

  test('else it is in a file that only the owner can read, and what is said has the path and not the token', () => {
    const path = join(folder, 'token')
    const { out, err } = shown(path, false)
    expect(out).toContain(path)
    expect(out + err).not.toContain(token)
    expect(readFileSync(path, 'utf8')).toBe(`${token}\n`)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(['token'])
  })

  test('a file that lies there, open to all, or a link to elsewhere, is replaced and not written into', () => {
    const path = join(folder, 'token')
    const elsewhere = join(folder, 'elsewhere')
    writeFileSync(elsewhere, 'mine', { mode: 0o666 })
    symlinkSync(elsewhere, path)
    shown(path, false)
    expect(readFileSync(elsewhere, 'utf8')).toBe('mine')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    chmodSync(path, 0o666)
    shown(path, false)
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('where it cannot be written, one sentence says so and leaves nothing', () => {
    const path = join(folder, 'token')
    mkdirSync(path)
    const { out, err } = shown(path, false)
    expect(out).toBe('')
    expect(err).toMatch(/^lmx-gateway: .* could not be written to .*token \(E\w+\), .* admin-token rotate .*\n$/)
    expect(err).not.toContain(token)
    expect(readdirSync(folder)).toEqual(['token'])
  })

  test('of a store in memory there is no place for it', () => {
    const { out, err } = shown(null, false)
    expect(out + err).not.toContain(token)
    expect(out).toContain('on a terminal only')
  })

  test.each([
    ['a/gateway.db', 'a/gateway-admin-token'],
    ['a/keys', 'a/keys-admin-token'],
    [':memory:', null],
  ])('beside the store %s it is %s', (store, path) => {
    expect(adminTokenPath(store)).toBe(path)
  })
})
