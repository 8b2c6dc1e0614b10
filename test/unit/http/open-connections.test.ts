import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { OpenConnections } from '../../../src/http/open-connections.ts'

function from(remoteAddress: string): Socket {
  return Object.defineProperty(new Socket(), 'remoteAddress', { value: remoteAddress })
}

test('an address counts as one, by whichever protocol it comes', () => {
  const connections = new OpenConnections({ connectionsMax: 10, connectionsPerAddressMax: 2 })
  expect(connections.add(from('10.0.0.1'))).toBeNull()
  expect(connections.add(from('::ffff:10.0.0.1'))).toBeNull()
  expect(connections.add(from('10.0.0.1'))).toMatchObject({ code: 'overloaded' })
  expect(connections.add(from('10.0.0.2'))).toBeNull()
})

test('an IPv6 network of 64 bits counts as one: whoever has an address in it has them all', () => {
  const connections = new OpenConnections({ connectionsMax: 10, connectionsPerAddressMax: 2 })
  const first = from('fd00::1')
  expect(connections.add(first)).toBeNull()
  expect(connections.add(from('FD00:0:0:0:ffff::2%eth0'))).toBeNull()
  expect(connections.add(from('fd00::3'))).toMatchObject({ code: 'overloaded' })
  expect(connections.add(from('fd00:0:0:1::1'))).toBeNull()
  first.emit('close')
  expect(connections.add(from('fd00::4'))).toBeNull()
})

test('what was refused does not count, and what closes makes room', () => {
  const connections = new OpenConnections({ connectionsMax: 2, connectionsPerAddressMax: 1 })
  const first = from('10.0.0.1')
  expect(connections.add(first)).toBeNull()
  for (let tries = 0; tries < 3; tries++) {
    const refused = from('10.0.0.1')
    expect(connections.add(refused)).not.toBeNull()
    refused.emit('close')
  }
  expect(connections.add(from('10.0.0.2'))).toBeNull()
  expect(connections.add(from('10.0.0.3'))).toMatchObject({ message: 'Too many connections are open.' })
  first.emit('close')
  expect(connections.add(from('10.0.0.1'))).toBeNull()
})
