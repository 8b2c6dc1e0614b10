import { describe, expect, it } from 'vitest'
import { withoutRequest } from '../../../src/relay/host-said.ts'

const request = Buffer.from(JSON.stringify({ messages: [{ content: 'my password is hunter2, and "über" is a word' }] }))

describe('what a host said, for the log', () => {
  it.each([
    ['502 Bad Gateway: nginx', '502 Bad Gateway: nginx'],
    ['cannot serve: my password is hunter2', 'cannot serve: [redacted]'],
    ['my password is hunter2', '[redacted]'],
    ['before my password is hunter2, and behind', 'before [redacted]behind'],
    ['a is hunter2, b is hunter2', 'a[redacted]b[redacted]'],
    ['is "über" is a word here', 'is[redacted] here'],
    ['short: hunter', 'short: hunter'],
    ['', ''],
  ])('%j is %j', (said, kept) => {
    expect(withoutRequest(said, request)).toBe(kept)
  })

  it('is left out where the request is gone, or too long to be looked through', () => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(65_537, 'x')])
      expect(withoutRequest('502', bytes)).toBe('[left out]')
    expect(withoutRequest('502', Buffer.alloc(65_536, 'x'))).toBe('502')
  })
})
