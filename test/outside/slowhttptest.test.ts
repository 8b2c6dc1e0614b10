/**
 * slowhttptest against a real gateway, in its three modes that apply: headers that drip, bodies that drip, answers that
 * are hardly read. Its fourth asks for overlapping ranges of a file; the gateway has no files and knows no ranges.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startDouble } from '../kit/fleet.ts'
import { missing, runTool, type ToolEnd } from './tool.ts'
import { sparseSockets, WatchedGateway } from './watched-gateway.ts'

const connections = 30
/** It ends earlier, as soon as all of its connections were closed. */
const testSecondsMax = 30
const model = 'm'

interface Attack extends ToolEnd {
  /** The last of its lines on how it ended. */
  readonly exitStatus: string | undefined
  /** Of each second: whether a connection of its own beside the slow ones was served. */
  readonly available: readonly boolean[]
  readonly socketsMax: number
}

/** Until it ends by itself, or, with `untilLetGo`, until the gateway has let go of its connections. */
async function underAttack(gateway: WatchedGateway, args: readonly string[], untilLetGo = false): Promise<Attack> {
  const folder = mkdtempSync(join(tmpdir(), 'slowhttptest-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const prefix = join(folder, 'report')
  const bounds = ['-c', String(connections), '-r', '50', '-l', String(testSecondsMax), '-p', '5', '-g', '-o', prefix]
  const ending = new AbortController()
  const state = { over: false, allConnected: false }
  const onOutput = (soFar: string): void => {
    state.allConnected ||= connectedOf(soFar) === connections
  }
  const options = { ms: 2_000 * testSecondsMax, signal: ending.signal, onOutput }
  // Line by line, or its lines come only when they fill a buffer.
  const attack = runTool('stdbuf', ['-oL', 'slowhttptest', ...args, ...bounds, '-v', '1'], options).finally(() => {
    state.over = true
  })
  let socketsMax = 0
  for (let turn = 0; !state.over; turn += 1) {
    const { allConnected } = state
    socketsMax = Math.max(socketsMax, gateway.sockets)
    if (turn % 20 === 0) {
      await gateway.expectAlive()
      await gateway.expectServed(model)
      // What was connected before these two was taken before them.
      if (untilLetGo && allConnected && gateway.sockets <= sparseSockets) ending.abort()
    }
    await pause(20)
  }
  const { code, output } = await attack
  const report = readFileSync(`${prefix}.csv`, 'utf8').trim().split('\n').slice(1)
  return {
    code,
    output,
    exitStatus: /Exit status: (.*)/.exec(output)?.[1]?.trim(),
    available: report.map((line) => Number(line.split(',')[4]) > 0),
    socketsMax,
  }
}

/** How many of its connections stand, as it told last; it tells every five seconds. */
function connectedOf(output: string): number {
  const told = [...stripVTControlCharacters(output).matchAll(/^connected:\s+(\d+)/gm)].at(-1)
  return Number(told?.[1] ?? 0)
}

async function gatewayBeforeDouble(config: Parameters<typeof WatchedGateway.start>[0], models = [model]) {
  const host = await startDouble({ models })
  return WatchedGateway.start({ ...config, hosts: [{ name: 'double', url: host.url }] })
}

function expectWithstood({ code, output, available, socketsMax }: Attack): void {
  expect(available.length, output).toBeGreaterThan(0)
  expect(code, output).toBe(0)
  expect(available).toEqual(available.map(() => true))
  expect(socketsMax, 'sockets').toBeGreaterThan(0)
}

describe.skipIf(missing('slowhttptest', '-h', 'slowhttptest'))('slowhttptest', () => {
  test('C09: headers that drip: every connection is closed in time, and others are served meanwhile', async () => {
    const gateway = await gatewayBeforeDouble({ server: { headerMsMax: 1_000 } })
    const attack = await underAttack(gateway, ['-H', '-i', '1', '-u', `${gateway.url}/v1/models`])
    expectWithstood(attack)
    expect(attack.exitStatus).toBe('No open connections left')
    await gateway.expectAtRest(gateway.ends.filter((end) => end === '200 --'))
  })

  test('C10: bodies that drip: each is answered 408, and others are served meanwhile', async () => {
    const gateway = await gatewayBeforeDouble({ relay: { bodyGraceMs: 1_000 } })
    const url = `${gateway.url}/v1/chat/completions`
    const slow = ['-B', '-i', '1', '-s', '8192', '-x', '4', '-f', 'application/json', '-u', url]
    const attack = await underAttack(gateway, slow)
    expectWithstood(attack)
    expect(attack.exitStatus).toBe('No open connections left')
    const ends = gateway.ends.filter((end) => end !== '200 --')
    expect(new Set(ends)).toEqual(new Set(['408 cR']))
    expect(ends).toHaveLength(connections)
    await gateway.expectAtRest(gateway.ends)
  })

  test('C11: answers that are hardly read: the gateway lets go of each, and others are served meanwhile', async () => {
    const names = Array.from({ length: 6_000 }, (_, index) => `m${'-'.repeat(100)}${index}`)
    const gateway = await gatewayBeforeDouble({ relay: { clientStallMsMax: 1_000 } }, [model, ...names])
    const reading = ['-X', '-k', '10', '-w', '10', '-y', '20', '-n', '1', '-z', '5']
    const attack = await underAttack(gateway, [...reading, '-u', `${gateway.url}/v1/models`], true)
    expectWithstood(attack)
    // It reads so slowly that it does not see that nobody sends any more: the gateway tells, and then it is ended.
    expect(attack.exitStatus).toBe('Cancelled by user')
    await gateway.expectAtRest(gateway.ends)
  })
})
