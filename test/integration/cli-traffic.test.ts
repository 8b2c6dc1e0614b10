/** What waits and runs, on the command line: of a gateway that runs, by its admin API. */
import { createServer } from 'node:http'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { EndedRequest } from '../../src/http/admin/ended-request-schema.ts'
import type { LineView } from '../../src/queue/line-view-schema.ts'
import type { LiveRequest } from '../../src/relay/live-request-schema.ts'
import { cli, StoreFolder } from '../kit/cli-run.ts'
import { gaugeReaches } from '../kit/fleet.ts'
import { listen } from '../kit/servers.ts'
import { chat, codeOf, held, queue, requests } from './admin-line-scene.ts'

afterEach(() => void vi.unstubAllEnvs())

/** One request runs and one waits; the command line knows where. */
async function busy() {
  const scene = await held()
  const { double, gateway } = scene
  vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', gateway.adminToken)
  const { key } = await gateway.createKey({ name: 'alice' })
  const running = chat(gateway, 'running', { key })
  await double.waitFor((host) => host.running === 1, 'the first request')
  const waiting = chat(gateway, 'waiting', { key })
  await gaugeReaches(gateway, 'queue_depth', 1)
  const run = (...args: readonly string[]) => cli([...args, '--admin-url', gateway.adminUrl])
  return { ...scene, running, waiting, run }
}

/** Whatever came of them, nothing is left at the end. */
async function finished({ double, finish, running, waiting }: Awaited<ReturnType<typeof busy>>): Promise<void> {
  await finish()
  await running
  await double.waitFor(({ inferenceRequests }) => inferenceRequests.length === 2, 'the second request')
  await finish()
  await waiting
}

describe('shown', () => {
  test('the line, for people and as JSON', async () => {
    const scene = await busy()
    const { code, out, err } = await scene.run('queue', 'show')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/^The line is open\. 1 request of 1,024 that may wait,$/m)
    expect(out).toMatch(/^host +state +running +slots\nstudio +up +1 +1$/m)
    expect(out).toMatch(/^alice +default +1 +1 +0 +1 +0$/m)
    expect(out).toMatch(/^id +key +class +model +tokens +waited +ahead +p50 +p90\n[\w-]{22} +alice +default /m)
    const { requests: listed, ...line } = JSON.parse((await scene.run('queue', 'show', '--json')).out) as LineView
    expect(line).toMatchObject({ paused: false, waiting: 1 })
    expect(listed).toMatchObject([{ key: 'alice', position: 0 }])
    const others = await scene.run('queue', 'show', '--json', '--key', 'bob')
    expect(JSON.parse(others.out)).toMatchObject({ waiting: 1, requests: [] })
    await finished(scene)
  })

  test('the requests, all or those that are asked for', async () => {
    const scene = await busy()
    const { code, out, err } = await scene.run('requests', 'list')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const [titles, ...rows] = out.split('\n')
    expect(titles).toMatch(/^id +key +class +model +endpoint +phase +since +host +age +prompt +answer$/)
    expect(rows).toEqual([
      expect.stringMatching(/ alice +default .* chat_completions +headers +\d+\.\d s +studio /),
      expect.stringMatching(/ alice +default .* chat_completions +line +\d+\.\d s +- /),
    ])
    const waiting = await scene.run('requests', 'list', '--phase', 'waiting', '--json')
    expect(JSON.parse(waiting.out)).toMatchObject({ requests: [{ phase: 'line' }], matching: 1 })
    expect((await scene.run('requests', 'list', '--count', '1')).out).toMatch(/\nand 1 more$/)
    expect((await scene.run('requests', 'list', '--host', 'mini')).out).toBe('No such request waits or runs.')
    const wrong = await scene.run('requests', 'list', '--phase', 'runing')
    const sentence = 'lmx-gateway: --phase: there is no phase "runing"; did you mean "running"?'
    expect(wrong).toEqual({ code: 1, out: '', err: sentence })
    const none = await scene.run('requests', 'list', '--count', 'x')
    expect(none).toMatchObject({ code: 1, out: '' })
    expect(none.err).toMatch(/^lmx-gateway: --count: must be a whole number/)
    await finished(scene)
  })
})

describe('shown of what has been', () => {
  test('the last requests, and one of them with where its time went', async () => {
    const scene = await busy()
    await finished(scene)
    const { run } = scene
    expect((await run('requests', 'list')).out).toBe('No such request waits or runs.')
    const { code, out, err } = await run('requests', 'list', '--ended', '5')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const [titles, ...rows] = out.split('\n')
    expect(titles).toMatch(/^ended +id +key +model +status +end +host +in all +line +ttft +tok\/s +answer$/)
    expect(rows).toEqual([expect.stringMatching(/ alice .* 200 /), expect.stringMatching(/ alice .* 200 /)])
    expect((await run('requests', 'list', '--ended')).out).toBe(out)
    const both = await run('requests', 'list', '--phase', 'waiting', '--ended')
    const sentence = '--phase is of requests that have not ended, --ended of those that have: give one of them'
    expect(both).toEqual({ code: 1, out: '', err: `lmx-gateway: ${sentence}` })
    expect((await run('requests', 'list', '--slower-than', '600000')).out).toBe('No such request has ended lately.')
    expect((await run('requests', 'list', '--status', '404')).out).toBe('No such request has ended lately.')
    const listed = await run('requests', 'list', '--ended', '1', '--end=--', '--json')
    const [last] = (JSON.parse(listed.out) as { ended: EndedRequest[] }).ended
    const shown = await run('requests', 'show', String(last?.id))
    expect(shown.out).toMatch(/^where the time went:\n {2}body /m)
    expect(shown.out).toMatch(/^attempt 1: studio \(.*\), only_host of studio$/m)
    expect(JSON.parse((await run('requests', 'show', String(last?.id), '--json')).out)).toEqual({
      live: null,
      ended: last,
      decisions: [expect.objectContaining({ id: last?.id, host: 'studio', reason: 'only_host' })],
    })
    expect((await run('requests', 'show', String(last?.requestId))).out).toBe(shown.out)
    const byClient = await run('requests', 'list', '--ended', '--request-id', String(last?.requestId), '--json')
    expect(JSON.parse(byClient.out)).toEqual({ requests: [], matching: 0, ended: [last] })
    const unknown = await run('requests', 'show', 'x')
    const noSuch = 'lmx-gateway: There is no such request, or it ended too long ago: log.recentRequestsMax'
    expect(unknown).toMatchObject({ code: 1, out: '' })
    expect(unknown.err).toContain(noSuch)
    for (const flag of ['--ended', '--status', '--slower-than']) {
      const { err: problem } = await run('requests', 'list', flag, 'x')
      expect(problem).toMatch(new RegExp(`^lmx-gateway: ${flag}: must be a whole number`))
    }
    expect((await run('stats', '--keys', '0')).err).toMatch(/^lmx-gateway: --keys: must be a whole number/)
  })

  test('one that runs is shown as the list has it', async () => {
    const scene = await busy()
    const [{ id }] = (await requests(scene.gateway, '?phase=running')) as [LiveRequest]
    expect((await scene.run('requests', 'show', id)).out).toMatch(new RegExp(`^${id} +alice `, 'm'))
    await finished(scene)
  })

  test('hosts, models and the gateway, with their speeds', async () => {
    const scene = await busy()
    const { run } = scene
    const hosts = await run('hosts', 'list')
    expect(hosts.out).toMatch(
      /^host +kind +state +tier +weight +running +slots +tok\/s .* errors\nstudio +lmx +up +1 +1 +1 +1 /,
    )
    const models = await run('models', 'list')
    expect(models.out).toMatch(/^model +hosts +waiting .* goodput\norg\/stub-a +1\/1 +1 /)
    const stats = await run('stats')
    expect(stats.out).toMatch(/^LMX gateway 0\.0\.0-test, up since /)
    expect(stats.out).toMatch(/^1 of 1 host up, 0 open streams, 1 waiting$/m)
    expect(stats.out).toMatch(/^alice +0 +\d+ +0 +1 +1$/m)
    for (const words of [['hosts', 'list'], ['models', 'list'], ['stats']]) {
      const { code, out, err } = await run(...words, '--json')
      expect([code, err, typeof JSON.parse(out)]).toEqual([0, '', 'object'])
    }
    const none = JSON.parse((await run('stats', '--keys', '1', '--json')).out) as { keys: unknown[] }
    expect(none.keys).toHaveLength(1)
    await finished(scene)
  })
})

describe('changed', () => {
  test('a request is ended, once', async () => {
    const { gateway, run, ...scene } = await busy()
    const [waiting] = await requests(gateway, '?phase=line')
    const { id } = waiting as LiveRequest
    const ended = await run('requests', 'cancel', id)
    expect(ended).toEqual({ code: 0, out: `Ended ${id} of alice, which was in the phase line.`, err: '' })
    expect(await codeOf(await scene.waiting)).toBe('request_cancelled')
    const again = await run('requests', 'cancel', id)
    expect(again).toEqual({ code: 1, out: '', err: 'lmx-gateway: There is no such request, or it has ended.' })
    const odd = await run('requests', 'cancel', '../keys')
    expect(odd).toEqual({ code: 1, out: '', err: 'lmx-gateway: there is no request "../keys"' })
    await scene.finish()
    await scene.running
  })

  test('the line and a host are paused and resumed', async () => {
    const scene = await busy()
    const { gateway, run } = scene
    expect((await run('queue', 'pause')).out).toMatch(/^The line is paused: nobody /)
    expect((await run('queue', 'show')).out).toMatch(/^The line is paused: /)
    expect(JSON.parse((await run('queue', 'resume', '--json')).out)).toEqual({ paused: false })
    const paused = await run('hosts', 'pause', 'studio')
    expect(paused.out).toBe('studio is paused: it is given no request until hosts resume. 1 running there may finish.')
    expect((await queue(gateway)).hosts).toMatchObject([{ name: 'studio', paused: true }])
    expect((await run('queue', 'show')).out).toMatch(/^studio +paused +1 +1$/m)
    expect((await run('hosts', 'resume', 'studio')).out).toBe('studio is given requests.')
    const unknown = await run('hosts', 'pause', 'stduio')
    expect(unknown).toEqual({ code: 1, out: '', err: 'lmx-gateway: There is no such host; there are: studio.' })
    await finished(scene)
  })
})

describe('where the gateway is', () => {
  const commands = [
    ['queue', 'show'],
    ['queue', 'pause'],
    ['requests', 'list'],
    ['requests', 'show', 'x'],
    ['requests', 'cancel', 'x'],
    ['hosts', 'list'],
    ['hosts', 'pause', 'x'],
    ['models', 'list'],
    ['stats'],
  ]

  test.each(commands.map((words) => ({ words })))(
    '$words says so where there is none, or no token',
    async ({ words }) => {
      vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', '')
      const untold = await cli([...words, '--admin-url', 'http://127.0.0.1:1'])
      const sentence =
        'lmx-gateway: this needs the admin token of the gateway in LMX_GATEWAY_ADMIN_TOKEN (admin-token rotate makes another)'
      expect(untold).toEqual({ code: 1, out: '', err: sentence })
      vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', 'lmx_admin_x')
      const none = await cli([...words, '--admin-url', 'http://127.0.0.1:1'])
      expect(none).toMatchObject({ code: 1, out: '' })
      expect(none.err).toMatch(/^lmx-gateway: the gateway at http:\/\/127\.0\.0\.1:1\/ cannot be (?:reached|asked)/)
    },
  )

  test('the configuration of this machine tells, unless it leaves the port open', async () => {
    await using folder = await StoreFolder.make()
    const { gateway } = await held()
    vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', gateway.adminToken)
    const { port } = new URL(gateway.adminUrl)
    const here = await folder.write('here.yaml', `admin: { port: ${port} }\n`)
    expect(await cli(['queue', 'show', '--config', here])).toMatchObject({ code: 0, err: '' })
    const everywhere = await folder.write(
      'all.yaml',
      `admin: { port: ${port}, bind: 0.0.0.0, metricsToken: ${'x'.repeat(32)} }\n`,
    )
    expect(await cli(['queue', 'show', '--config', everywhere])).toMatchObject({ code: 0, err: '' })
    const open = await folder.write('open.yaml', 'admin: { port: 0 }\n')
    const unknown = await cli(['queue', 'show', '--config', open])
    expect(unknown).toMatchObject({ code: 1, out: '' })
    expect(unknown.err).toMatch(/^lmx-gateway: admin\.port is 0, .* --admin-url$/)
    const bad = await cli(['queue', 'show', '--config', await folder.write('bad.yaml', 'admin: { prot: 1 }\n')])
    expect(bad).toMatchObject({ code: 1, out: '' })
    expect(bad.err).toContain('did you mean "port"?')
  })

  test('what something else answers there is not shown', async () => {
    const other = await listen(createServer((_request, response) => response.end('{"paused":"\u001b[2J"}')))
    vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', 'lmx_admin_x')
    for (const args of commands) {
      const { code, out, err } = await cli([...args, '--admin-url', other.url])
      expect({ code, out }).toEqual({ code: 1, out: '' })
      expect(err).toBe('lmx-gateway: what answers there is no admin API of an LMX gateway of this version')
    }
    await other.close()
  })
})
