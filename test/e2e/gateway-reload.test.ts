/** The configuration of the process that users run, changed by its file and by SIGHUP, under its flags and its environment. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { model } from '../integration/scenarios/scene.ts'
import { ChaosHost } from '../kit/chaos-host.ts'
import { launchScript, RunningProcess } from '../kit/child-process.ts'
import { becomesTrue } from '../kit/within.ts'

async function startHost(): Promise<ChaosHost> {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  return host
}

async function started(more: { args?: readonly string[]; env?: Record<string, string> }, config: object) {
  const folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-reload-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'lmx-gateway.yaml')
  const write = (next: object): Promise<void> => writeFile(file, JSON.stringify(next))
  await write(config)
  const args = [launchScript, '--port', '0', '--admin-port', '0', '--store', ':memory:', ...(more.args ?? [])]
  // The file of the working folder, as it is found without a flag.
  const gateway = new RunningProcess(process.execPath, args, {
    cwd: folder,
    ...(more.env === undefined ? {} : { env: more.env }),
  })
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  const adminUrl = (await gateway.said(/(http:\S+)\/metrics\n/)).replace(/\/$/, '')
  await gateway.said(/Try it|not reachable/)
  const metrics = async (): Promise<string> => (await fetch(`${adminUrl}/metrics`)).text()
  const hosts = async (): Promise<string[]> =>
    [...(await metrics()).matchAll(/^lmx_gateway_host_up\{host="([^"]+)"\}/gm)].map(([, name = '']) => name)
  return { gateway, file, write, metrics, hosts }
}

test('a change of the file is taken by itself, and a bad one keeps what there is; SIGHUP has it read again', async () => {
  const [a, b] = [await startHost(), await startHost()]
  const hostA = { name: 'a', url: a.url, kind: 'openai' }
  const hostB = { name: 'b', url: b.url, kind: 'openai' }
  const { gateway, write, hosts, metrics } = await started({}, { hosts: [hostA] })
  await write({ hosts: [hostA, hostB] })
  await becomesTrue(20_000, 'the second host', async () => (await hosts()).join() === 'a,b')
  await write({ hosts: 3 })
  await gateway.logged(/configuration not taken: the one before holds.*lmx-gateway\.yaml:1:10 hosts/)
  expect(await hosts()).toEqual(['a', 'b'])
  expect(await metrics()).toMatch(/^lmx_gateway_config_last_reload_success 0$/m)

  await write({ hosts: [hostB], server: { reloadOnChange: false }, log: { level: 'debug' } })
  await becomesTrue(20_000, 'the second host alone', async () => (await hosts()).join() === 'b')
  expect(await metrics()).toMatch(/^lmx_gateway_config_last_reload_success 1$/m)
  expect(await metrics()).toMatch(/^lmx_gateway_config_reload_success_timestamp_seconds \d{10}/m)
  await write({ hosts: [hostA], server: { reloadOnChange: false } })
  gateway.signal('SIGHUP')
  await becomesTrue(20_000, 'the first host alone', async () => (await hosts()).join() === 'a')
  gateway.signal('SIGTERM')
  expect(await gateway.end()).toEqual({ code: 0, signal: null })
})

test('flags and the environment go before the file, also when it is read again', async () => {
  const [a, b] = [await startHost(), await startHost()]
  const config = { hosts: [{ name: 'b', url: b.url }], queue: { lengthMax: 7 } }
  const env = { LMX_GATEWAY_QUEUE_LENGTH_MAX: '9', KEY_OF_A: 'one' }
  const { gateway, write, hosts } = await started({ args: ['--host-url', a.url], env }, config)
  const name = new URL(a.url).host
  expect(await hosts()).toEqual([name])
  await write({
    ...config,
    hosts: [{ name: 'c', url: b.url }],
    queue: { lengthMax: 5 },
    balancing: { policy: 'sticky' },
  })
  await gateway.logged(/configuration taken.*"changed":"balancing\.policy"/)
  expect(gateway.err).not.toContain('queue.lengthMax')
  expect(await hosts()).toEqual([name])
})
