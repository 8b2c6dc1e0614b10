/** npm hands on the Ctrl-C that the terminal sends to the gateway as well, a moment later: however late, it is exit code 0. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { launch } from '../kit/child-process.ts'

const gapsMs = [0, 1, 2, 4, 7, 11, 16, 22, 29, 40]

test('the second signal of a key press never ends an idle gateway by signal', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'same-key-press-'))
  const ends: unknown[] = []
  for (const gapMs of gapsMs) {
    await using gateway = launch(['--host-url', 'http://127.0.0.1:9', '--port', '0', '--admin-port', '0'], {
      cwd: folder,
    })
    await gateway.said(/for clients/)
    gateway.signal('SIGINT')
    // Not a wait for a state: the gap between two signals is what is tested.
    await pause(gapMs)
    gateway.signal('SIGINT')
    ends.push(await gateway.end())
  }
  await rm(folder, { recursive: true })
  expect(ends).toEqual(gapsMs.map(() => ({ code: 0, signal: null })))
})
