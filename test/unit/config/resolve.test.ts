import { describe, expect, test } from 'vitest'
import { hostNames } from '../../../src/config/resolve.ts'
import { configOf } from '../../kit/config-of.ts'

describe('host names', () => {
  test('are as given, else host and port of the URL', () => {
    expect(hostNames([{ name: 'studio', url: 'http://a:1' }, { url: 'http://b:2/base' }, { url: 'http://c' }])).toEqual(
      ['studio', 'b:2', 'c'],
    )
  })

  test('that are made never meet one another or a given one', () => {
    const hosts = [
      { url: 'http://a:1/x' },
      { url: 'http://a:1/y' },
      { name: 'a:1-2', url: 'http://b:1' },
      { url: 'http://a:1' },
    ]
    expect(hostNames(hosts)).toEqual(['a:1', 'a:1-3', 'a:1-2', 'a:1-4'])
  })
})

describe('a resolved configuration', () => {
  test('has an empty host key no more', () => {
    const { hosts } = configOf({
      hosts: [
        { url: 'http://a:1', apiKey: '' },
        { url: 'http://b:1', apiKey: 'k' },
      ],
    })
    expect(hosts[0]).not.toHaveProperty('apiKey')
    expect(hosts[1]).toHaveProperty('apiKey', 'k')
  })

  test('refuses what a file would be refused for', () => {
    expect(() => configOf({ hosts: [] })).toThrow()
  })
})
