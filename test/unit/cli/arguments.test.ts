import { describe, expect, test } from 'vitest'
import { readArguments } from '../../../src/cli/arguments.ts'
import type { Flag } from '../../../src/cli/command.ts'

const flags: Flag[] = [
  { name: 'port', value: 'N', help: '' },
  { name: 'host-url', value: 'URL', help: '' },
  { name: 'open', value: '', help: '' },
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
})
