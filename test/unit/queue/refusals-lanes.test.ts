/** Requests for ever other hosts: their lanes have a bound, at which those that wait for what others wait for still may. */
import { expect, test } from 'vitest'
import { ModelCatalog } from '../../../src/hosts/model-catalog.ts'
import { Dispatcher } from '../../../src/queue/dispatcher.ts'
import { queueOptions } from '../../../src/queue/options.ts'
import { lanesWaitingMax } from '../../../src/queue/refusals.ts'
import { balancerOf } from '../../kit/balancers.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'

test('as many lanes wait as may, and one more is refused as where the line is full', () => {
  const models = Array.from({ length: lanesWaitingMax + 1 }, (_, at) => `m${at}`)
  const host = knownHost('a', { lists: models, slots: 1 })
  host.leases.add({})
  const catalog = new ModelCatalog([host], {})
  const dispatcher = new Dispatcher(queueOptions.parse({}), {
    clock: new FakeClock(),
    balancer: balancerOf(),
    events: { waitEnded() {}, rejected() {}, estimateTold() {}, gaveBack() {} },
  })
  const refused: string[] = []
  const ask = (model: string, key: string): void => {
    dispatcher.ask({
      route: catalog.route(model, 'chat_completions'),
      excluded: new Set(),
      class: 'default',
      place: 'newcomer',
      holder: { id: key, name: key, weight: 1 },
      tokens: { input: 10, output: 10 },
      granted: () => {},
      refused: ({ code }) => void refused.push(`${model} ${code}`),
    })
  }
  for (const [at, model] of models.entries()) if (at < lanesWaitingMax) ask(model, `k${at % 4}`)
  expect([dispatcher.length, refused]).toEqual([lanesWaitingMax, []])
  ask(`m${lanesWaitingMax}`, 'other')
  expect(refused).toEqual([`m${lanesWaitingMax} queue_full`])
  ask('m0', 'other')
  expect([dispatcher.length, refused.length]).toEqual([lanesWaitingMax + 1, 1])
})
