/** What two versions are started with: no more than both know. */
import { expect, test } from 'vitest'
import { setupFor } from '../../bench/gateway-arm.ts'

const first = '  --config FILE  x\n  --port N  x\n  --admin-port N  x\n'
const newest = `${first}  --log-format FORMAT  x\n  --store FILE  x\n  keys create  x\n`

test('versions that know everything get all of it', () => {
  expect(setupFor([newest, newest])).toEqual({
    flags: ['--port', '0', '--admin-port', '0', '--log-format', 'json'],
    withKey: true,
    notes: [],
  })
})

test('what one of them does not know, none of them gets, and that is said', () => {
  expect(setupFor([first, newest])).toEqual({
    flags: ['--port', '0', '--admin-port', '0'],
    withKey: false,
    notes: [
      'no key and no store: one of the versions has none',
      'without --log-format, which one of the versions does not know',
    ],
  })
})

test('a version that cannot be told its slots cannot be compared', () => {
  expect(() => setupFor([newest, '  --port N  x\n'])).toThrow('no --config')
})
