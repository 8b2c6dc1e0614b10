/** Requests that come before a host was asked what it has wait for its answer, and for no longer. */

import { createServer, type ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { createGateway } from '../../src/gateway.ts'
import { configOf } from '../kit/config-of.ts'
import { listen } from '../kit/servers.ts'
import { silentLog } from '../kit/silent-log.ts'
import { eventually, within } from '../kit/within.ts'

const answer = JSON.stringify({ choices: [{ index: 0, message: { content: 'hi' }, finish_reason: 'stop' }] })

/** It lists its model when the test says so. */
async function slowHost(model: string) {
  const looks: ServerResponse[] = []
  let isKnown = false
  const list = (response: ServerResponse) =>
    response.end(JSON.stringify({ object: 'list', data: [{ id: model, object: 'model' }] }))
  const server = createServer((request, response) => {
    request.resume()
    response.setHeader('content-type', 'application/json')
    if (request.method === 'POST') response.end(answer)
    else if (isKnown) list(response)
    else looks.push(response)
  })
  const listening = await listen(server)
  onTestFinished(() => listening.close())
  return {
    url: listening.url,
    isAsked: () => eventually(5_000, 'the first look at the host', () => looks.length > 0),
    tells: () => {
      isKnown = true
      for (const response of looks.splice(0)) list(response)
    },
    drops: () => {
      for (const response of looks.splice(0)) response.destroy()
    },
  }
}

/** Nobody has waited for its first probes. */
async function newGateway(hosts: readonly { url: string; models?: string[] }[]) {
  const settings = configOf({
    server: { port: 0 },
    admin: { port: 0 },
    hosts: hosts.map(({ url, models = [] }) => ({ url, models, kind: 'openai' })),
  })
  const gateway = createGateway(settings, { version: '0.0.0-test', log: silentLog })
  const { dataUrl, adminUrl } = await gateway.start()
  onTestFinished(() => gateway.stop({ now: true }))
  const sent = (model: string, signal?: AbortSignal) =>
    fetch(`${dataUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model, messages: [{ role: 'user', content: 'x' }] }),
      ...(signal === undefined ? {} : { signal }),
    })
  const waiting = async (count: number) => {
    const depth = async () => {
      const text = await (await fetch(`${adminUrl}/metrics`)).text()
      const lines = text.split('\n').filter((line) => line.startsWith('lmx_gateway_queue_depth{'))
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
    }
    const reached = async (): Promise<void> => {
      while ((await depth()) !== count) await pause(5)
    }
    await within(5_000, `${count} that wait`, reached())
  }
  return { sent, waiting }
}

const answered = (response: Promise<Response>) => within(5_000, 'the answer', response)

async function codeOf(response: Promise<Response>): Promise<string> {
  const { status } = await answered(response)
  const { error } = (await (await response).json()) as { error: { code: string } }
  return `${status} ${error.code}`
}

test('the host has the model: they are served as soon as it says so', async () => {
  const host = await slowHost('m')
  const { sent, waiting } = await newGateway([host])
  const early = [sent('m'), sent('m')]
  await host.isAsked()
  await waiting(2)
  host.tells()
  for (const response of early) expect((await answered(response)).status).toBe(200)
})

test('it has another one: they hear that theirs is not there', async () => {
  const host = await slowHost('other')
  const { sent, waiting } = await newGateway([host])
  const early = sent('m')
  await host.isAsked()
  await waiting(1)
  host.tells()
  expect(await codeOf(early)).toBe('404 model_not_found')
})

test.each([[[]], [['m']]])('it is down: they hear so when that is known (models configured: %j)', async (models) => {
  const host = await slowHost('m')
  const { sent, waiting } = await newGateway([{ url: host.url, models }])
  const early = sent('m')
  await host.isAsked()
  await waiting(1)
  host.drops()
  expect(await codeOf(early)).toBe('503 no_upstream_available')
  expect(await codeOf(sent('m'))).toBe('503 no_upstream_available')
})

test('one host is known: it serves what it has, whatever another one may have', async () => {
  const [known, slow] = [await slowHost('m'), await slowHost('n')]
  known.tells()
  const { sent, waiting } = await newGateway([known, slow])
  expect((await answered(sent('m'))).status).toBe(200)
  const early = sent('n')
  await waiting(1)
  slow.tells()
  expect((await answered(early)).status).toBe(200)
})

test('whoever leaves meanwhile waits no more', async () => {
  const host = await slowHost('m')
  const { sent, waiting } = await newGateway([host])
  const leaver = new AbortController()
  const early = sent('m', leaver.signal).catch(() => 'left')
  await waiting(1)
  leaver.abort()
  expect(await early).toBe('left')
  await waiting(0)
  host.tells()
})
