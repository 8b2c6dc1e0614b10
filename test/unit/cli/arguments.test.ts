import { describe, expect, test } from 'vitest'
import { readArguments } from '../../../src/cli/arguments.ts'
import type { Flag } from '../../../src/cli/command.ts'

const flags: Flag[] = [
  { name: 'port', value: 'N', help: '' },
  { name: 'host-url', value: 'URL', help: '' },
  { name: 'open', value: '', help: '' },
  { name: 'last', value: 'N', bare: '20', help: '' },
]

describe('arguments', () => {
  test.each<[string[], Record<string, string[]>]>([
    [[], {}],
    [['--port', '80'], { port: ['80'] }],
    [['--port=80'], { port: ['80'] }],
    [['--port', '-1'], { port: ['-1'] }],
    [['--port='], { port: [''] }],
    [['--host-url', 'a', '--host-url=b'], { 'host-url': ['a', 'b'] }],
    [['--open'], { open: ['true'] }],
    [['--no-open'], { open: ['false'] }],
    [['--open=false', '--open'], { open: ['false', 'true'] }],
    [['--last'], { last: ['20'] }],
    [['--last', '--port', '80'], { last: ['20'], port: ['80'] }],
    [['--last', '5'], { last: ['5'] }],
    [['--'], {}],
  ])('%j', (args, expected) => {
    const read = readArguments(args, flags)
    expect(read.kind === 'good' && Object.fromEntries(read.values)).toEqual(expected)
  })

  test.each<[string[], RegExp]>([
    [['--prot', '1'], /^unknown flag --prot; did you mean "--port"\?$/],
    [['--prot=1'], /^unknown flag --prot; did you mean "--port"\?$/],
    [['--zzz'], /^unknown flag --zzz$/],
    [['-p', '1'], /^unknown flag -p$/],
    [['--no-port'], /^unknown flag --no-port/],
    [['--port'], /^--port needs a value: --port N$/],
    [['--port', '--open'], /^--port needs a value: --port N$/],
    [['--open', 'false'], /^"false" is not expected here$/],
    [['--', 'x'], /^"x" is not expected here$/],
  ])('%j is refused', (args, message) => {
    const read = readArguments(args, flags)
    expect(read.kind === 'bad' && read.message).toMatch(message)
  })

  test('what must stand without a flag may stand anywhere, once', () => {
    const read = (...args: string[]) => readArguments(args, flags, 'ID|NAME')
    expect(read('alice', '--port', '80')).toMatchObject({ kind: 'good', operand: 'alice' })
    expect(read('--open', 'alice')).toMatchObject({ kind: 'good', operand: 'alice' })
    expect(read('--port', '80')).toEqual({ kind: 'bad', message: 'ID|NAME is missing' })
    expect(read('alice', 'b\u001b[2J')).toEqual({ kind: 'bad', message: '"b?[2J" is not expected here' })
    // A name that looks like a flag.
    expect(read('--', '--open')).toMatchObject({ kind: 'good', operand: '--open' })
  })
})
