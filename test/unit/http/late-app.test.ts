/** What answers is loaded late: those who ask wait for that, and hear where it fails. */
import { createServer } from 'node:http'
import { Hono } from 'hono'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'
import { LateApp, type LoadApp } from '../../../src/http/late-app.ts'
import { requestIdFor, requestIdHeader } from '../../../src/http/request-id.ts'
import { listen } from '../../kit/servers.ts'

async function served(load: LoadApp) {
  const lines: string[] = []
  const app = new LateApp(load, systemClock, (level, message, fields) => {
    lines.push(`${level} ${message}: ${fields?.['problem']}`)
  })
  const server = createServer((incoming, outgoing) => {
    outgoing.setHeader(requestIdHeader, requestIdFor(incoming))
    app.handle(incoming, outgoing)
  })
  const listening = await listen(server)
  onTestFinished(() => listening.close())
  return { lines, ask: () => fetch(listening.url) }
}

test('where it cannot be loaded those who wait are told so, the log says why once, and the next one tries again', async () => {
  let fail: (error: Error) => void = () => {}
  let tries = 0
  const { lines, ask } = await served(() => {
    tries += 1
    if (tries > 1) return Promise.resolve(new Hono().get('/', (c) => c.text('hello')))
    return new Promise((_resolve, reject) => {
      fail = reject
    })
  })
  const early = [ask(), ask()]
  await expect.poll(() => tries).toBe(1)
  fail(new Error('Cannot find module app.js'))
  const answers = await Promise.all(early)
  expect(answers.some(({ status }) => status === 500)).toBe(true)
  expect(lines).toEqual([
    'error A part of the gateway cannot be loaded; perhaps what is installed was replaced: Cannot find module app.js',
  ])
  const later = await ask()
  expect(`${later.status} ${await later.text()}`).toBe('200 hello')
})
