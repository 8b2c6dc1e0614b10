/** One fault from end to end: nothing says it before, its panels and alerts say it while it is there, and none does after. */
import { setTimeout as pause } from 'node:timers/promises'
import { type PanelView, panelShows, type Shown } from './dashboard-panels.ts'
import type { Prometheus } from './prometheus.ts'

export interface SeenFault {
  /** By name: labels that the alert must have. */
  readonly alerts: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** By title: whether one figure of the panel is the fault. */
  readonly panels: Readonly<Record<string, (shown: Shown) => boolean>>
  readonly view: PanelView
  /** Makes the fault; what it returns ends it. */
  begin(): () => Promise<void>
}

const oftenMs = 100
const quietMsMax = 15_000
const shownMsMax = 75_000
const overMsMax = 60_000

/** Resolves once it is over with the summaries of the alerts that fired; rejects with what could not be seen. */
export async function seeFault(prometheus: Prometheus, fault: SeenFault): Promise<readonly string[]> {
  await nothingSeen(prometheus, fault, 'before the fault', quietMsMax)
  const end = fault.begin()
  let summaries: readonly string[]
  try {
    ;[summaries] = await Promise.all([alertsFire(prometheus, fault), panelsShow(prometheus, fault)])
  } finally {
    await end()
  }
  await nothingSeen(prometheus, fault, 'after the fault', overMsMax)
  return summaries
}

async function nothingSeen(prometheus: Prometheus, fault: SeenFault, when: string, ms: number): Promise<void> {
  const { alerts, panels, view } = fault
  for (const name of Object.keys(alerts)) {
    const isInactive = async () => (await alertOf(prometheus, fault, name)) === undefined
    await until(isInactive, `${name} to be inactive ${when}`, ms)
  }
  for (const [title, isFault] of Object.entries(panels)) {
    const isQuiet = async () => !(await panelShows(prometheus, title, view)).some(isFault)
    await until(isQuiet, `the panel ${title} to be quiet ${when}`, ms)
  }
}

function alertsFire(prometheus: Prometheus, fault: SeenFault): Promise<string[]> {
  const firing = Object.keys(fault.alerts).map(async (name) => {
    const isFiring = async () => (await alertOf(prometheus, fault, name))?.state === 'firing'
    await until(isFiring, `${name} to fire`, shownMsMax)
    return (await alertOf(prometheus, fault, name))?.annotations['summary'] ?? `${name} is over too early`
  })
  return Promise.all(firing)
}

async function panelsShow(prometheus: Prometheus, { panels, view }: SeenFault): Promise<void> {
  const showing = Object.entries(panels).map(([title, isFault]) => {
    const shows = async () => (await panelShows(prometheus, title, view)).some(isFault)
    return until(shows, `the panel ${title} to show the fault`, shownMsMax)
  })
  await Promise.all(showing)
}

/** Pending or firing. */
async function alertOf(prometheus: Prometheus, { alerts }: SeenFault, name: string) {
  const wanted = Object.entries({ alertname: name, ...alerts[name] })
  const all = await prometheus.alerts()
  return all.find(({ labels }) => wanted.every(([label, value]) => labels[label] === value))
}

/** Prometheus tells of nothing by itself. */
async function until(holds: () => Promise<boolean>, label: string, ms: number): Promise<void> {
  const endsAt = performance.now() + ms
  while (!(await holds())) {
    if (performance.now() > endsAt) throw new Error(`waited ${ms} ms in vain for ${label}`)
    await pause(oftenMs)
  }
}
