/** Which requests are given to no host, for how long, and what is kept of them. */
import { expect, it } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import { LethalPrompts } from '../../../src/relay/lethal-prompts.ts'
import { RequestMarks } from '../../../src/relay/request-marks.ts'
import { type EndpointName, endpoints } from '../../../src/wire/endpoints.ts'
import { readJsonBody } from '../../../src/wire/request-body.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'

const [a, b] = [knownHost('a'), knownHost('b')]
const named = (wanted: EndpointName) => endpoints.find(({ name }) => name === wanted)!
const [chat, completions] = [named('chat_completions'), named('completions')]
const marksOf = (text: string, endpoint = chat): RequestMarks =>
  new RequestMarks(endpoint, () => ({ bytes: Buffer.from(text) }))

function begun() {
  const clock = new FakeClock()
  const lethal = new LethalPrompts(clock)
  const isRefused = (text: string, endpoint = chat): boolean => {
    try {
      lethal.check(marksOf(text, endpoint))
      return false
    } catch (error) {
      expect(error).toBeInstanceOf(GatewayError)
      return true
    }
  }
  const dropped = (text: string, ...hosts: (typeof a)[]): void => {
    for (const host of hosts) lethal.dropped(host, marksOf(text))
  }
  return { clock, lethal, isRefused, dropped }
}

it('refuses what two hosts dropped, and neither what one did, nor the same at another endpoint, nor another as long', () => {
  const { isRefused, dropped } = begun()
  dropped('one', a, a, a)
  expect(isRefused('one')).toBe(false)
  dropped('two', a, b)
  expect([isRefused('two'), isRefused('two', completions), isRefused('twa')]).toEqual([true, false, false])
})

it('for a minute from the last of them, and again at once where one more is lost to it', async () => {
  const { clock, isRefused, dropped } = begun()
  dropped('x', a)
  await clock.advance(50_000)
  dropped('x', b)
  await clock.advance(59_999)
  expect(isRefused('x')).toBe(true)
  await clock.advance(1)
  expect(isRefused('x')).toBe(false)
  dropped('x', a)
  expect(isRefused('x')).toBe(true)
})

it('forgets what it was ten minutes ago, and nothing where no bytes are left to know it by', async () => {
  const { clock, lethal, isRefused, dropped } = begun()
  dropped('old', a)
  await clock.advance(600_000)
  dropped('old', b)
  expect(isRefused('old')).toBe(false)
  lethal.dropped(a, new RequestMarks(chat, () => null))
  dropped('', a, b)
  expect([isRefused(''), lethal.size]).toEqual([false, 1])
})

it('keeps the last thousand, however many there are, and looks at none that is of another length than these', () => {
  const { lethal, isRefused, dropped } = begun()
  const all = Array.from({ length: 1_001 }, (_, at) => `prompt ${String(at).padStart(4, '0')}`)
  for (const text of all) dropped(text, a, b)
  expect(lethal.size).toBe(1_000)
  expect(all.filter((text) => !isRefused(text))).toEqual([all[0]])
  // As many again of another length: of the first ones nothing is left.
  for (const text of all) dropped(`${text}.`, a, b)
  expect([lethal.size, all.filter((text) => isRefused(text))]).toEqual([1_000, []])
})

it('knows a prompt again by its print when its bytes are gone, for the same model, bound and prompt alone', () => {
  const { lethal } = begun()
  const marked = (model: string, max: number | null, whole: number): RequestMarks => {
    const marks = new RequestMarks(chat, () => null)
    const bound = max === null ? '' : `,"max_tokens":${max}`
    const read = readJsonBody(Buffer.from(`{"model":"${model}"${bound}}`), { choicesMax: 1, messagesMax: 1 })
    marks.read(read, { digests: [1], ends: [1], bytes: 9, whole, commonCount: 0, owner: 'ann' })
    return marks
  }
  const refuses = (marks: RequestMarks): boolean => {
    try {
      lethal.check(marks)
      return false
    } catch {
      return true
    }
  }
  for (const host of [a, b]) lethal.dropped(host, marked('m', 5, 7))
  const asked = [marked('m', 5, 7), marked('n', 5, 7), marked('m', null, 7), marked('m', 5, 8)]
  expect(asked.map(refuses)).toEqual([true, false, false, false])
})

it('knows what has no print by its bytes, looked at before they go, but where an answer that begins is done', () => {
  const { lethal, isRefused } = begun()
  for (const [text, endpoint] of [
    ['kept', chat],
    ['not', named('embeddings')],
  ] as const) {
    for (const host of [a, b]) {
      let bytes = Buffer.from(text)
      const marks = new RequestMarks(endpoint, () => ({ bytes }))
      marks.bytesGo()
      bytes = Buffer.alloc(0)
      lethal.dropped(host, marks)
    }
  }
  expect([isRefused('kept'), isRefused('not', named('embeddings'))]).toEqual([true, false])
})
