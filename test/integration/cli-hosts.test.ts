/** The fleet of a running gateway, changed on the command line. */
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { ChaosHost, pause, wholeRequest } from '../kit/chaos-host.ts'
import { launch } from '../kit/child-process.ts'
import { cli } from '../kit/cli-run.ts'
import { chunkBytes, finalChunk, sseHeadBytes } from '../kit/http-bytes.ts'
import { RawClient } from '../kit/raw-client.ts'
import { startReloadable } from '../kit/reloadable.ts'
import { becomesTrue } from '../kit/within.ts'
import { chatBytes, contentFrame, done, finishFrame, model } from './scenarios/scene.ts'

afterEach(() => void vi.unstubAllEnvs())

async function startHost(): Promise<ChaosHost> {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  const rest = chunkBytes(finishFrame + done)
  host.playAlways(wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('once')), pause, rest, finalChunk)
  return host
}

async function started(networks: readonly string[] = ['127.0.0.0/8']) {
  const a = await startHost()
  const config = {
    hosts: [{ name: 'a', url: a.url, kind: 'openai' as const, slots: 1 }],
    admin: { hostNetworks: [...networks] },
    server: { reloadOnChange: false },
  }
  const on = await startReloadable(config)
  vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', on.gateway.adminToken)
  const run = (...args: readonly string[]) => cli([...args, '--admin-url', on.gateway.adminUrl])
  return { ...on, a, config, run }
}

test('a host is added with its key from the environment, shown, drained, resumed and taken out', {
  timeout: 60_000,
}, async () => {
  const { run, gateway } = await started()
  const b = await startHost()
  const key = 'a-key-of-the-host'
  vi.stubEnv('LMX_GATEWAY_HOST_KEY', key)
  const added = await run('hosts', 'add', b.url, '--name', 'b', '--kind', 'openai', '--slots', '3')
  expect(added).toEqual({
    code: 0,
    err: '',
    out: expect.stringMatching(/^b is added until the gateway starts again/) as unknown,
  })
  await becomesTrue(20_000, 'the host to be up', async () => (await gateway.metric('host_up', { host: 'b' })) === 1)
  expect(await gateway.metric('host_concurrency_limit', { host: 'b' })).toBe(3)
  expect((await run('hosts', 'list')).out).toMatch(/^b +openai +up /m)
  expect((await run('hosts', 'list', '--json')).out).not.toContain(key)
  const again = await run('hosts', 'add', b.url)
  expect(again).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringMatching(/^lmx-gateway: The host b has/) as unknown,
  })
  const wrong = await run('hosts', 'add', 'http://127.0.0.8:1', '--slots', 'many')
  expect(wrong).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^lmx-gateway: .*slots/) as unknown })

  expect((await run('hosts', 'drain', 'b')).out).toBe(
    'b is given no request until hosts resume. Nothing runs there any more.',
  )
  expect((await run('hosts', 'list')).out).toMatch(/^b +openai +drained +1 +1 /m)
  expect((await run('hosts', 'resume', 'b')).out).toBe('b is given requests.')
  expect((await run('hosts', 'remove', 'b')).out).toBe('b is taken out.')
  const removed = JSON.parse((await run('hosts', 'remove', 'a', '--json')).out) as unknown
  expect(removed).toEqual({ name: 'a', running: 0, isConfigured: true })
  expect(await run('hosts', 'remove', 'nobody')).toMatchObject({ code: 1, out: '' })
})

test('a drain waits until nothing runs there, unless it is not to', { timeout: 60_000 }, async () => {
  const { run, gateway, a } = await started()
  const client = await RawClient.open(gateway.port)
  onTestFinished(() => client.close())
  await client.send(chatBytes({ stream: true }))
  const answer = await client.response()
  await answer.has('once')
  expect((await run('hosts', 'drain', 'a', '--no-wait')).out).toMatch(/1 running there may finish\.$/)
  await run('hosts', 'resume', 'a')
  // In a process of its own: nothing but the wait keeps that from ending.
  await using draining = launch(['hosts', 'drain', 'a', '--admin-url', gateway.adminUrl], {
    cwd: tmpdir(),
    env: { LMX_GATEWAY_ADMIN_TOKEN: gateway.adminToken },
  })
  await draining.logged(/^1 running at a; waiting for the end\.$/m)
  expect(draining.out).toBe('')
  await a.exchanges[0]?.step()
  await answer.over()
  expect(await draining.end()).toEqual({ code: 0, signal: null })
  expect(draining.out).toBe('a is given no request until hosts resume. Nothing runs there any more.\n')
})

test('a drain ends when somebody resumes the host, and drains it no more', { timeout: 60_000 }, async () => {
  const { run, gateway } = await started()
  const client = await RawClient.open(gateway.port)
  onTestFinished(() => client.close())
  await client.send(chatBytes({ stream: true }))
  await (await client.response()).has('once')
  const draining = run('hosts', 'drain', 'a')
  await becomesTrue(20_000, 'the host to be drained', async () => (await run('hosts', 'list')).out.includes('draining'))
  await run('hosts', 'resume', 'a')
  expect((await draining).out).toBe('a was resumed meanwhile, and is given requests: 1 running there.')
  expect((await run('hosts', 'list')).out).toMatch(/^a +openai +up /m)
  client.close()
})

test('without a network there is no adding, and what to do is said', async () => {
  const { run } = await started([])
  const refused = await run('hosts', 'add', 'http://127.0.0.1:1')
  expect(refused).toMatchObject({ code: 1, out: '' })
  expect(refused.err).toMatch(
    /^lmx-gateway: admin\.hostNetworks has no network .*192\.168\.0\.0\/16, or add the host to the/,
  )
})

test('reload says what has changed, what waits, or each problem on a line of its own', async () => {
  const on = await started()
  const { run, config, file } = on
  expect((await run('reload')).out).toBe('Nothing has changed.')
  await on.write({ ...config, balancing: { policy: 'sticky' }, metrics: { enabled: false } })
  expect((await run('reload')).out.split('\n')).toEqual([
    'Holds from now on: balancing.policy',
    'Holds once the gateway starts again: metrics.enabled',
  ])
  await on.write({ ...config, queue: { lengthMax: -1 }, relay: { choicesMax: 0 } })
  const { code, out, err } = await run('reload')
  expect({ code, out }).toEqual({ code: 1, out: '' })
  const [first, ...problems] = err.split('\n')
  expect(first).toBe('lmx-gateway: The configuration was not taken, and the one before holds:')
  expect(problems.map((line) => line.replace(/:\d+:\d+ /, ' ').replace(/: .*/, ''))).toEqual([
    `${file} queue.lengthMax`,
    `${file} relay.choicesMax`,
  ])
})

test('the gateway that runs is reached although its file has a mistake, and reload tells that', async () => {
  const on = await started()
  const adminPort = new URL(on.gateway.adminUrl).port
  const here = (...args: readonly string[]) => cli([...args, '--config', on.file])
  const admin = { port: Number(adminPort) }
  await on.write({ ...on.config, admin })
  expect(await here('hosts', 'list')).toMatchObject({ code: 0, err: '' })
  await on.write({ ...on.config, admin, queue: { lengthMax: -1 } })
  for (const args of [
    ['hosts', 'list'],
    ['hosts', 'drain', 'a'],
    ['queue', 'show'],
  ])
    expect(await here(...args), args.join(' ')).toMatchObject({ code: 0, err: '' })
  const { code, err } = await here('reload')
  expect(code).toBe(1)
  expect(err.split('\n')[0]).toBe('lmx-gateway: The configuration was not taken, and the one before holds:')
  expect(err).toMatch(/queue\.lengthMax: /)

  await writeFile(on.file, 'admin: { port: none }\n')
  expect(await here('hosts', 'list')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/admin\.port: must be a number.*\n.*--admin-port or --admin-url/) as unknown,
  })
  for (const text of ['admin: { port: none }\n', 'hosts: [ {\n']) {
    await writeFile(on.file, text)
    expect(await here('hosts', 'list', '--admin-port', adminPort), text).toMatchObject({ code: 0 })
  }
})
