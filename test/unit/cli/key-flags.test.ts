import { describe, expect, test } from 'vitest'
import { checkKeyChange, checkNewKey } from '../../../src/access/key-schema.ts'
import { limitKinds } from '../../../src/access/limits.ts'
import { readArguments } from '../../../src/cli/arguments.ts'
import { flagOf, keyFlags, readKeyFlags } from '../../../src/cli/key-flags.ts'

function read(...args: string[]) {
  const known = readArguments(args, keyFlags)
  if (known.kind === 'bad') throw new Error(known.message)
  return readKeyFlags(known.values)
}

describe('flags of a key', () => {
  test('each limit has one, and all of them together make a body that the admin API takes', () => {
    const limits = Object.values(limitKinds).flatMap(({ flag }, at) => [`--${flag}`, String(at + 1)])
    const others = ['--team', 'a', '--models', 'b,c*', '--models', 'd', '--class', 'bulk', '--weight', '0.5']
    const more = ['--expires', '30d', '--max-output-tokens', '9', '--tag', 'k=v=w', '--tag', 'l=']
    const made = read('--name', 'x', ...others, ...more, ...limits)
    expect(made).toEqual({
      kind: 'good',
      body: {
        name: 'x',
        team: 'a',
        models: ['b', 'c*', 'd'],
        class: 'bulk',
        weight: 0.5,
        expiresAt: '30d',
        maxOutputTokens: 9,
        tags: { k: 'v=w', l: '' },
        limits: Object.fromEntries(Object.keys(limitKinds).map((name, at) => [name, at + 1])),
      },
    })
    if (made.kind === 'good') expect(checkNewKey(made.body)).toEqual(made.body)
  })

  test('what is taken away is null, and the admin API takes that as a change', () => {
    const none = ['--team', 'none', '--models', 'all', '--expires', 'never', '--max-output-tokens', 'none']
    const made = read(...none, '--tag', 'none', '--rpm', 'none')
    const body = { team: null, models: null, expiresAt: null, maxOutputTokens: null, tags: {} }
    expect(made).toEqual({ kind: 'good', body: { ...body, limits: { requestsPerMinute: null } } })
    if (made.kind === 'good') expect(checkKeyChange(made.body)).toEqual(made.body)
  })

  test('what no flag names is not in the body', () => {
    expect(read()).toEqual({ kind: 'good', body: {} })
  })

  test.each<[string[], RegExp]>([
    [['--rpm', '0'], /^--rpm: must be a whole number from 1 on, or none, not "0"$/],
    [['--tpm', '1e3'], /^--tpm: .* not "1e3"$/],
    [['--tokens-per-day', '-1'], /^--tokens-per-day: /],
    [['--max-output-tokens', '1.5'], /^--max-output-tokens: /],
    [['--weight', '0'], /^--weight: must be a number above 0, not "0"$/],
    [['--weight', 'much'], /^--weight: /],
    [['--class', 'interactiv'], /^--class: there is no class "interactiv"; did you mean "interactive"\?$/],
    [['--class', 'zzz'], /^--class: .*; there are interactive, default, bulk$/],
    [['--models', 'a,,b'], /^--models: a name is missing in "a,,b"/],
    [['--tag', 'urgent'], /^--tag: "urgent" must be written NAME=VALUE$/],
    [['--tag', '=v'], /^--tag: /],
  ])('%j is refused with the flag in the sentence', (args, message) => {
    const made = read(...args)
    expect(made.kind === 'bad' && made.message).toMatch(message)
  })

  test.each([
    ['expiresAt', 'expires'],
    ['limits.requestsPerMinute', 'rpm'],
    ['models.0', 'models'],
    ['tags.a', 'tag'],
    ['to', 'to'],
    ['graceMs', undefined],
    ['limits.zzz', undefined],
  ])('the place %s was written as --%s', (place, flag) => {
    expect(flagOf(place)).toBe(flag)
  })
})
