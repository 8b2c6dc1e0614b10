/** `npm run demo` and `npm run fake-host`, as somebody tries them before reading anything. */
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { RunningProcess, repositoryRoot } from '../kit/child-process.ts'
import { listen } from '../kit/servers.ts'

function program(name: string, args: readonly string[]): RunningProcess {
  return new RunningProcess(process.execPath, [join(repositoryRoot, 'test/bin', name), ...args], {
    cwd: repositoryRoot,
  })
}

async function run(name: string, args: readonly string[]) {
  await using child = program(name, args)
  const { code } = await child.end()
  return { code, out: child.out, err: child.err }
}

describe('the demo', () => {
  const freePorts = ['--port', '0', '--admin-port', '0']

  test.each(['--help', '-h'])('%s is its own, and nothing is started', async (flag) => {
    const { code, out, err } = await run('demo.ts', ['--load', flag])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/\n {2}--load .*\n/)
    expect(out).toMatch(/other flags? .*gateway/)
    expect(out).not.toMatch(/listening|^Two simulated/m)
  })

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'its load begins when the hosts were found, tells its rate, and ends with the first %s',
    async (signal) => {
      await using demo = program('demo.ts', ['--load', ...freePorts])
      const requests = await demo.said(/^Load: (\d+) requests? answered in 5 s.*, \d+ tokens\/s$/m)
      expect(Number(requests)).toBeGreaterThan(0)
      expect(demo.out).toMatch(/\nTry it:\n[^]*\nLoad: \d+ clients/)
      // Every request would have a line of its own.
      expect(demo.err).not.toMatch(/\bINFO\b|"level":"info"/i)
      demo.signal(signal)
      await demo.said(/^Load: stopped$/m)
      expect(await demo.end()).toEqual({ code: 0, signal: null })
    },
  )

  test('a log level that somebody gave holds', async () => {
    await using demo = program('demo.ts', ['--load', '--log-level=info', '--log-format', 'json', ...freePorts])
    await demo.said(/^Load: \d+ requests? answered/m)
    expect(demo.err).toContain('"level":"info"')
    demo.signal('SIGTERM')
    await demo.end()
  })
})

describe('the simulated host', () => {
  test.each<[string[], RegExp]>([
    [['--modle', 'a'], /^fake-host: unknown flag --modle; did you mean "--model"\? \(.*--help.*\)\n$/],
    [['--slots'], /^fake-host: --slots needs a value: --slots N \(.*--help.*\)\n$/],
    [['--slots', 'two'], /^fake-host: --slots must be a number of at least 1, not "two" \(.*--help.*\)\n$/],
  ])('%j is refused with one sentence', async (args, sentence) => {
    const { code, out, err } = await run('fake-host.ts', args)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(sentence)
  })

  test('a port in use: one sentence with a way out', async () => {
    const holder = await listen(createServer())
    const { code, err } = await run('fake-host.ts', ['--port', String(holder.port)])
    await holder.close()
    expect(code).toBe(1)
    expect(err).toBe(
      `fake-host: 127.0.0.1:${holder.port} is in use; stop the program there or choose another port with --port.\n`,
    )
  })

  test('--help says where its answers are as plain as those of LMX', async () => {
    const { code, out } = await run('fake-host.ts', ['--help'])
    expect(code).toBe(0)
    expect(out).toMatch(/MiniMax/)
    expect(out).toMatch(/\/v1\/responses.*empty/)
  })

  test('serves what its flags say', async () => {
    await using host = program('fake-host.ts', ['--port', '0', '--model', 'a/b', '--model', 'c/d', '--echo', '--tps=0'])
    const url = await host.said(/serves a\/b, c\/d with 2 slots at (\S+)/)
    const answer = await fetch(`${url}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'c/d', messages: [{ role: 'user', content: 'hello' }] }),
    })
    expect(await answer.text()).toContain('hello')
    host.signal('SIGTERM')
    expect(await host.end()).toEqual({ code: 0, signal: null })
  })
})
