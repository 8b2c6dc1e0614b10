/** Looking for hosts: over multicast on the loopback interface, so that nothing leaves the machine. */
import { Bonjour } from 'bonjour-service'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { type DiscoverOptions, discover } from '../../src/hosts/discovery/discover.ts'
import { cli } from '../kit/cli-run.ts'
import { ollamaStub } from '../kit/kind-servers/ollama.ts'
import { startStub } from '../kit/kind-servers/stub-server.ts'
import { startLmxDouble } from '../kit/lmx-double/lmx-double.ts'

/** Not that of the machine's own announcements. */
const mdnsPort = 45_353

const look = (options: Partial<DiscoverOptions>) =>
  discover(
    { addresses: [], browseMs: null, interface: '127.0.0.1', mdnsPort, timeoutMs: 2_000, ...options },
    { clock: systemClock, userAgent: 'lmx-gateway/test' },
  )

/** As an LMX announces itself. */
async function announce(name: string, port: number): Promise<AsyncDisposable & { readonly name: string }> {
  // What it hands on to its sockets is not in its types.
  const sockets: object = { interface: '127.0.0.1', bind: '0.0.0.0', port: mdnsPort }
  const bonjour = new Bonjour(sockets)
  const txt = { path: '/.well-known/opta-lmx', service: 'opta-lmx' }
  const service = bonjour.publish({ name, type: 'opta-lmx', port, txt, probe: false })
  await new Promise<void>((resolve) => {
    service.once('up', resolve)
  })
  const close = async (): Promise<void> => {
    await new Promise<void>((resolve) => {
      bonjour.destroy(resolve)
    })
  }
  return { name, [Symbol.asyncDispose]: close }
}

const portOf = (url: string): number => Number(new URL(url).port)

test('who announces itself is asked what it is, without anything that loads a model', async () => {
  await using double = await startLmxDouble({ models: ['qwen', 'glm'] })
  await using announced = await announce('studio', portOf(double.url))
  const { hosts, silent, browseProblem } = await look({ browseMs: 1_500 })
  expect(hosts).toEqual([
    { url: double.url, announcedAs: 'studio', kind: 'lmx', models: ['qwen', 'glm'], problem: null },
  ])
  expect([announced.name, silent, browseProblem]).toEqual(['studio', [], null])
  expect(double.inferenceRequests).toEqual([])
})

test('an announcement of where nothing is leads to nothing', async () => {
  await using announced = await announce('ghost', 9)
  expect(await look({ browseMs: 1_500 })).toEqual({ hosts: [], silent: ['http://127.0.0.1:9'], browseProblem: null })
  expect(announced.name).toBe('ghost')
})

test('what answers at an address that is named, whatever it is, and what does not', async () => {
  await using ollama = await startStub(ollamaStub)
  await using locked = await startStub({
    ...ollamaStub,
    answers: {},
    unknownPath: () => ({ status: 401, body: '{"error":"no key"}' }),
  })
  const addresses = [ollama.url, locked.url, '127.0.0.1:9'].map((url) => url.replace('http://', ''))
  const { hosts, silent } = await look({ addresses })
  expect(hosts).toMatchObject([
    { url: ollama.url, announcedAs: null, kind: 'ollama', problem: null },
    { url: locked.url, kind: null, models: [] },
  ])
  expect(hosts[1]?.problem).toContain('401')
  expect(silent).toEqual(['http://127.0.0.1:9'])
  expect(ollama.requests.filter((request) => !request.startsWith('GET '))).toEqual([])
})

test('on the command line: found, how to use it, and that nothing was added', async () => {
  await using ollama = await startStub(ollamaStub)
  const { code, out, err } = await cli([
    'hosts',
    'discover',
    '--no-mdns',
    '--address',
    ollama.url,
    '--address',
    '127.0.0.1:9',
  ])
  expect({ code, err }).toEqual({ code: 0, err: `Looking for hosts: asking at ${ollama.url}, 127.0.0.1:9 …` })
  expect(out).toMatch(new RegExp(`^${ollama.url} +ollama`, 'm'))
  expect(out).toContain('Nothing answers at http://127.0.0.1:9.')
  expect(out).toContain(`None of them is used yet`)
  expect(out).toContain(`  - { url: "${ollama.url}", kind: ollama }`)
})

test.each([
  [['--no-mdns'], 'with --no-mdns there must be an --address'],
  [['--address', 'http://me:secret@mini.local'], 'is no address'],
  [['--interface', '10.9.9.9'], '--interface takes one of 127.0.0.1'],
  [['--seconds', '0'], '--seconds takes a number up to 60'],
])('%j is refused, with what would be right', async (flags, message) => {
  const { code, err } = await cli(['hosts', 'discover', ...flags])
  expect(code).toBe(1)
  expect(err).toContain(message)
})
