/** When a file has other content, with watching of folders that works, fails, or tells nothing. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { FileWatch, type WatchFolder } from '../../../src/config/watch-file.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { becomesTrue, eventually } from '../../kit/within.ts'

/** A file of a folder, and what was told of it; time moves as the test says, reading the disk takes its own. */
async function watched(watchFolder: WatchFolder) {
  const folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-watch-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'file.yaml')
  await writeFile(path, 'a')
  const clock = new FakeClock()
  let told = 0
  const watch = new FileWatch({ clock, path, onChange: () => void told++, watchFolder })
  onTestFinished(() => watch.close())
  await watch.start()
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 50) {
      await clock.advance(50)
      // A look at the disk is under way.
      await new Promise((resolve) => void setImmediate(resolve))
    }
  }
  return { folder, path, watch, told: () => told, pass }
}

/** Until it was told of, or as long as a test may take. */
async function toldOf(on: Awaited<ReturnType<typeof watched>>, count: number): Promise<void> {
  await becomesTrue(20_000, 'the change to be told', async () => {
    if (on.told() < count) await on.pass(500)
    return on.told() >= count
  })
}

const silent: WatchFolder = () => ({ close: () => {} })
const failing: WatchFolder = () => {
  throw new Error('ENOSPC: no more watches')
}

test.each([
  ['cannot be watched', failing],
  ['tells nothing', silent],
])('a folder that %s is looked into again and again', async (_what, watchFolder) => {
  const on = await watched(watchFolder)
  await on.pass(10_000)
  expect(on.told()).toBe(0)
  await writeFile(on.path, 'b')
  await toldOf(on, 1)
  await on.pass(10_000)
  expect(on.told()).toBe(1)
  await rm(on.path)
  await toldOf(on, 2)
  await writeFile(on.path, 'c')
  await toldOf(on, 3)
})

test('a watcher that ends is made anew', async () => {
  const made: { onChange: () => void; onEnd: () => void; isClosed: boolean }[] = []
  const on = await watched((_folder, onChange, onEnd) => {
    const one = { onChange, onEnd, isClosed: false }
    made.push(one)
    return { close: () => void (one.isClosed = true) }
  })
  expect(made).toHaveLength(1)
  made[0]?.onEnd()
  expect(made[0]?.isClosed).toBe(true)
  await on.pass(2_500)
  await eventually(20_000, 'another watcher', () => made.length === 2)
  on.watch.close()
  expect(made[1]?.isClosed).toBe(true)
})

test('a file that goes on changing is told of when it has come to rest, and noise does not put that off', async () => {
  let noise = (): void => {}
  const on = await watched((_folder, onChange) => {
    noise = onChange
    return { close: () => {} }
  })
  for (let i = 0; i < 10; i++) {
    await writeFile(on.path, 'x'.repeat(i + 2))
    noise()
    await on.pass(200)
    expect(on.told()).toBe(0)
  }
  await becomesTrue(20_000, 'the change to be told', async () => {
    for (let i = 0; i < 10; i++) {
      noise()
      await on.pass(50)
    }
    return on.told() === 1
  })
})
