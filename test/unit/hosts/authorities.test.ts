import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { authoritiesOf } from '../../../src/hosts/authorities.ts'
import { certificateFolder } from '../../kit/certificate-files.ts'
import { authority, certificate } from '../../kit/certificates.ts'

const ca = authority()
const own = certificate('studio', { by: ca })

test('authorities of a host: read where they are a PEM file, else one sentence', () => {
  const folder = certificateFolder()
  const named = (path?: string, url = 'https://studio.test:1234') => authoritiesOf({ name: 'studio', url, ca: path })
  expect(named()).toBeUndefined()
  const file = folder.write('ca.pem', `Some words\n${ca.cert}${own.cert}`)
  expect(named(file)).toBe(`Some words\n${ca.cert}${own.cert}`)
  expect(() => named(join(file, '..', 'none.pem'))).toThrow(/^ca of the host studio: there is no file \S+none\.pem\.$/)
  expect(() => named(folder.write('key.pem', own.key))).toThrow(/^ca of the host studio: there is no certificate in /)
  expect(() => named(folder.write('words.pem', 'words'))).toThrow('is not a PEM file')
  const directory = join(file, '..', 'folder')
  mkdirSync(directory)
  expect(() => named(directory)).toThrow('is a folder; name the file in it')
  expect(() => named(file, 'http://studio.test:1234')).toThrow('write https://')
  expect(() => named(folder.write('huge.pem', ca.cert.padEnd(1_048_577)))).toThrow('is too large')
})
