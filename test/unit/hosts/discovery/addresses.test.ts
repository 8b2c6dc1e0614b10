import { describe, expect, it } from 'vitest'
import { isNeighbour, knownPorts, urlsOf } from '../../../../src/hosts/discovery/addresses.ts'

describe('an address that somebody names', () => {
  it.each(['10.0.0.5', 'mini.local', '::1'])('%s stands for the ports that are usual', (address) => {
    const host = address === '::1' ? '[::1]' : address
    expect(urlsOf(address)).toEqual(knownPorts.map((port) => `http://${host}:${port}`))
  })

  it.each([
    ['mini.local:9000', 'http://mini.local:9000'],
    ['[::1]:9000', 'http://[::1]:9000'],
    ['10.0.0.5:80', 'http://10.0.0.5'],
    ['https://mini.local', 'https://mini.local'],
    ['http://mini.local:1234/', 'http://mini.local:1234'],
  ])('%s has a port of its own', (address, url) => {
    expect(urlsOf(address)).toEqual([url])
  })

  it.each([
    '',
    'a b',
    'ftp://mini.local',
    'http://user:word@mini.local',
    'mini.local/v1',
    'mini.local?x=1',
    '10.0.0.5:99999',
  ])('"%s" is none', (address) => {
    expect(urlsOf(address)).toBeNull()
  })
})

it('a neighbour has an address of this machine or of a private network, and none where clouds keep their secrets', () => {
  const addresses = ['127.0.0.1', '10.1.2.3', '172.16.0.1', '192.168.0.1', '100.64.0.1']
  const others = ['169.254.169.254', '8.8.8.8', '172.32.0.1', '192.169.0.1', '0.0.0.0', '::1', 'mini.local', '']
  expect(addresses.filter(isNeighbour)).toEqual(addresses)
  expect(others.filter(isNeighbour)).toEqual([])
})
