/** Configurations that are taken or refused while a gateway runs. */
import { expect, test } from 'vitest'
import type { LoadedConfig } from '../../../src/config/load.ts'
import { Reloader, refusedMessage } from '../../../src/config/reload.ts'
import { configOf } from '../../kit/config-of.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

const config = configOf({})
const file = '/etc/gateway.yaml'
const good: LoadedConfig = { kind: 'good', config, file, notes: [], isBlank: false }
const nothing = { changed: [], waiting: [], hostsJoined: [], hostsLeft: [], hostsChanged: [] }

/** A reloader that loads what the test says, when it says. */
function given({ file: first = file }: { file?: string | null } = {}) {
  const clock = new FakeClock()
  const loads: PromiseWithResolvers<LoadedConfig>[] = []
  const lines: { level: string; message: string; problem: unknown }[] = []
  const taken = { ...nothing }
  let applied = 0
  let fault: Error | null = null
  const reloader = new Reloader({
    clock,
    log: (level, message, fields = {}) => void lines.push({ level, message, problem: fields['problem'] }),
    load: () => {
      const load = Promise.withResolvers<LoadedConfig>()
      loads.push(load)
      return load.promise
    },
    file: first,
    apply: () => {
      if (fault !== null) throw fault
      applied++
      return taken
    },
  })
  return {
    clock,
    loads,
    lines,
    taken,
    reloader,
    applied: () => applied,
    failWith: (error: Error) => void (fault = error),
  }
}

test('what is good is applied, and when is known', async () => {
  const { clock, reloader, loads, applied, taken } = given()
  const startedAtMs = clock.wallMs()
  expect(reloader.state).toEqual({ isSuccess: true, takenAtMs: startedAtMs })
  await clock.advance(5_000)
  Object.assign(taken, { changed: ['hosts'], hostsLeft: ['b'] })
  const result = reloader.reload('file')
  loads[0]?.resolve(good)
  expect(await result).toMatchObject({ kind: 'taken', changed: ['hosts'], hostsLeft: ['b'] })
  expect(applied()).toBe(1)
  expect(reloader.state).toEqual({ isSuccess: true, takenAtMs: startedAtMs + 5_000 })
})

test('of what is bad nothing is applied, and each problem has a line; the next good one is a success again', async () => {
  const { clock, reloader, loads, lines, applied } = given()
  const problem = { source: file, line: 3, column: 5, path: 'hosts', message: 'is wrong' }
  const refused = reloader.reload('signal')
  loads[0]?.resolve({ kind: 'bad', file, problems: [problem, { ...problem, line: 4 }] })
  expect(await refused).toEqual({
    kind: 'refused',
    problems: [`${file}:3:5 hosts: is wrong`, `${file}:4:5 hosts: is wrong`],
  })
  expect(applied()).toBe(0)
  expect(lines).toEqual([
    { level: 'error', message: refusedMessage, problem: `${file}:3:5 hosts: is wrong` },
    { level: 'error', message: refusedMessage, problem: `${file}:4:5 hosts: is wrong` },
  ])
  expect(reloader.state).toEqual({ isSuccess: false, takenAtMs: clock.wallMs() })
  const next = reloader.reload('signal')
  loads[1]?.resolve(good)
  await next
  expect(reloader.state.isSuccess).toBe(true)
})

test.each([
  ['is gone', { ...good, file: null }, /the file is gone/],
  ['has nothing in it', { ...good, isBlank: true }, /there is nothing in the file/],
] as const)('a file that %s is taken for one that is being written', async (_what, loaded, problem) => {
  const { reloader, loads, applied } = given()
  const result = reloader.reload('file')
  loads[0]?.resolve(loaded)
  expect(await result).toEqual({ kind: 'refused', problems: [expect.stringMatching(problem) as unknown] })
  expect(applied()).toBe(0)
})

test('without a file at the start, none is missed', async () => {
  const { reloader, loads, applied } = given({ file: null })
  const result = reloader.reload('signal')
  loads[0]?.resolve({ ...good, file: null, isBlank: true })
  expect((await result).kind).toBe('taken')
  expect(applied()).toBe(1)
})

test('what cannot be applied, or read, is refused in words, and nothing is thrown', async () => {
  const { reloader, loads, failWith } = given()
  failWith(new Error('ca of the host a: there is no such file'))
  const refused = reloader.reload('file')
  loads[0]?.resolve(good)
  expect(await refused).toEqual({ kind: 'refused', problems: ['ca of the host a: there is no such file'] })
  const unread = reloader.reload('file')
  loads[1]?.reject(new Error('EIO'))
  expect(await unread).toEqual({ kind: 'refused', problems: ['EIO'] })
})

test('one at a time; who asks meanwhile gets one that began later, and all of those the same', async () => {
  const { reloader, loads, applied } = given()
  const first = reloader.reload('file')
  const [second, third] = [reloader.reload('signal'), reloader.reload('admin-api')]
  expect(second).toBe(third)
  expect(loads).toHaveLength(1)
  loads[0]?.resolve(good)
  await first
  await Promise.resolve()
  expect(loads).toHaveLength(2)
  loads[1]?.resolve(good)
  await second
  expect(applied()).toBe(2)
  const fourth = reloader.reload('file')
  expect(loads).toHaveLength(3)
  loads[2]?.resolve(good)
  await fourth
})
