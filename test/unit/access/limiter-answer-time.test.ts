import { expect, it } from 'vitest'
import { admitted, laneOf } from './limit-lane-parts.ts'

it('what is reserved says how long all gateways were asked for it', async () => {
  const { clock, calls, ask, reservation } = laneOf()
  ask()
  await clock.advance(20)
  await calls[0]?.answer([admitted])
  ask()
  await clock.advance(30)
  await calls[1]?.fail()
  expect([reservation(0).askedForMs, reservation(1).askedForMs]).toEqual([20, 30])
})
