/** A host puts a model out after it was chosen for it and before the request is there. */
import { expect, test } from 'vitest'
import { ask, clientOf, gatewayBefore, model, startDouble } from '../../kit/fleet.ts'

/** Nobody looks at the lists meanwhile. */
const probe = { everyMs: 60_000 }

test('U46: another one that has it takes the request, at the second attempt and without an error', async () => {
  const first = await startDouble({ hostname: 'first' })
  const second = await startDouble({ hostname: 'second' })
  const hosts = [
    { name: 'first', url: first.url, tier: 1 },
    { name: 'second', url: second.url, tier: 2 },
  ]
  const gateway = await gatewayBefore(hosts, { probe })
  first.models.unload(model)
  const { data, response } = await clientOf(gateway, { maxRetries: 0 })
    .chat.completions.create(ask('x', 3))
    .withResponse()
  expect(data.choices[0]?.message.content?.trim()).toBe('w0 w1 w2')
  const told = ['x-lmx-gateway-host', 'x-lmx-gateway-attempts'].map((name) => response.headers.get(name))
  expect(told).toEqual(['second', '2'])
  expect([first.inferenceRequests.length, second.inferenceRequests.length]).toEqual([1, 1])
  // It is not asked again until its list has the model again.
  await clientOf(gateway, { maxRetries: 0 }).chat.completions.create(ask('x', 3))
  expect([first.inferenceRequests.length, second.inferenceRequests.length]).toEqual([1, 2])
})

test('where the gateway may, the only one that has it loads it again, and the request is served', async () => {
  const adminKey = 'the-admin-key'
  const double = await startDouble({ onDisk: { [model]: { gigabytes: 1 } }, requireAdminKey: adminKey })
  const host = { name: 'studio', url: double.url, adminKey, allowModelLoads: true }
  const gateway = await gatewayBefore([host], { probe })
  await double.waitFor(
    ({ requests }) => requests.some(({ path }) => path === '/admin/memory'),
    'its disk to be looked at',
  )
  double.models.unload(model)
  const answer = await clientOf(gateway, { maxRetries: 0 }).chat.completions.create(ask('x', 3))
  expect(answer.choices[0]?.message.content?.trim()).toBe('w0 w1 w2')
  expect([double.models.ordered, double.inferenceRequests.length]).toEqual([[model], 2])
})
