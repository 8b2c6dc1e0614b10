import { expect, test } from 'vitest'
import { eventually, within } from '../../kit/within.ts'

test('passes the value and the failure on', async () => {
  expect(await within(1_000, 'a value', Promise.resolve(3))).toBe(3)
  await expect(within(1_000, 'a failure', Promise.reject(new Error('own')))).rejects.toThrow('own')
})

test('fails with its label and the line that waited', async () => {
  const failure: unknown = await within(5, 'the last frame', new Promise(() => undefined)).catch(
    (error: unknown) => error,
  )
  expect(failure).toBeInstanceOf(Error)
  expect((failure as Error).message).toBe('waited 5 ms in vain for the last frame')
  expect((failure as Error).stack).toContain('within.test.ts')
})

test('eventually waits for a state and fails with its label', async () => {
  let turns = 0
  await eventually(1_000, 'three turns', () => ++turns === 3)
  expect(turns).toBe(3)
  await expect(eventually(5, 'what never comes', () => false)).rejects.toThrow('what never comes')
})
