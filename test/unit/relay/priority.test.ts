/** The class that a client asks for, held against what its key allows. */
import { describe, expect, test } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import { type RequestClass, requestClasses } from '../../../src/base/request-class.ts'
import { classOf, priorityHeader } from '../../../src/relay/priority.ts'

describe('the class of a request', () => {
  test.each(requestClasses)('is that of its key where it says nothing: %s', (most) => {
    expect(classOf({}, most)).toBe(most)
  })

  test.each([
    ['interactive', 'interactive', 'interactive'],
    ['interactive', 'default', 'default'],
    ['interactive', 'bulk', 'bulk'],
    ['default', 'interactive', 'default'],
    ['default', 'default', 'default'],
    ['default', 'bulk', 'bulk'],
    ['bulk', 'interactive', 'bulk'],
    ['bulk', 'default', 'bulk'],
    ['bulk', 'bulk', 'bulk'],
  ] satisfies [string, RequestClass, RequestClass][])('%s of a key of class %s: %s', (said, most, is) => {
    expect(classOf({ [priorityHeader]: said }, most)).toBe(is)
  })

  // A header that was sent twice comes as a list, whatever it holds.
  test.each(['', 'high', 'Interactive', ' bulk', 'bulk, bulk', 'interactive,bulk', '1', 'constructor'])(
    'is nobody\'s guess: "%s" is refused',
    (said) => {
      const refusal = (() => {
        try {
          return classOf({ [priorityHeader]: said }, 'interactive')
        } catch (error) {
          return error
        }
      })()
      expect(refusal).toBeInstanceOf(GatewayError)
      expect(refusal).toMatchObject({ code: 'invalid_request', detail: { param: priorityHeader } })
      for (const known of requestClasses) expect((refusal as GatewayError).message).toContain(known)
    },
  )

  test('of another header it does not follow', () => {
    expect(classOf({ 'x-priority': 'interactive', priority: 'u=0' }, 'bulk')).toBe('bulk')
  })
})
