/** Deadlines with a name: a test that waits says for what, and fails with those words. */

import { setTimeout as pause } from 'node:timers/promises'

const pollMs = 5

/** Settles as `promise` does, or rejects with `label` once `ms` have passed. */
export async function within<T>(ms: number, label: string, promise: Promise<T>): Promise<T> {
  // Made here, so that the stack shows the line that waited and not a timer.
  const late = new Error(`waited ${ms} ms in vain for ${label}`)
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late), ms)
  })
  try {
    return await Promise.race([promise, deadline])
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves as soon as `holds` returns true: for a state that announces itself by no event. */
export async function eventually(ms: number, label: string, holds: () => boolean): Promise<void> {
  const late = new Error(`waited ${ms} ms in vain for ${label}`)
  const endsAt = performance.now() + ms
  while (!holds()) {
    if (performance.now() > endsAt) throw late
    await pause(pollMs)
  }
}

const askMs = 100

/** The same for a state that must be asked for. */
export async function becomesTrue(ms: number, label: string, holds: () => Promise<boolean>): Promise<void> {
  const late = new Error(`waited ${ms} ms in vain for ${label}`)
  const endsAt = performance.now() + ms
  while (!(await holds())) {
    if (performance.now() > endsAt) throw late
    await pause(askMs)
  }
}
