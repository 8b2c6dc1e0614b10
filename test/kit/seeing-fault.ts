/** One fault from end to end: nothing says it before, its panels and alerts say it while it is there, and none does after. */
import type { Chosen } from './dashboard/as-grafana.ts'
import { panelShows, type Shown } from './dashboard-panels.ts'
import type { Prometheus } from './prometheus.ts'
import { becomesTrue } from './within.ts'

export interface SeenFault {
  /** By name: labels that the alert must have. */
  readonly alerts: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** By title: whether one figure of the panel is the fault. */
  readonly panels: Readonly<Record<string, (shown: Shown) => boolean>>
  /** In the variables of the boards. */
  readonly chosen: Chosen
  /** Makes the fault; what it returns ends it. */
  begin(): () => Promise<void>
}

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
  const { alerts, panels, chosen } = fault
  for (const name of Object.keys(alerts)) {
    const isInactive = async () => (await alertOf(prometheus, fault, name)) === undefined
    await becomesTrue(ms, `${name} to be inactive ${when}`, isInactive)
  }
  for (const [title, isFault] of Object.entries(panels)) {
    const isQuiet = async () => !(await panelShows(prometheus, title, chosen)).some(isFault)
    await becomesTrue(ms, `the panel ${title} to be quiet ${when}`, isQuiet)
  }
}

function alertsFire(prometheus: Prometheus, fault: SeenFault): Promise<string[]> {
  const firing = Object.keys(fault.alerts).map(async (name) => {
    // The very answer in which it fires: where a scrape comes late, the next one may be without it.
    let summary = `${name} has no summary`
    const isFiring = async () => {
      const alert = await alertOf(prometheus, fault, name)
      summary = alert?.annotations['summary'] ?? summary
      return alert?.state === 'firing'
    }
    await becomesTrue(shownMsMax, `${name} to fire`, isFiring)
    return summary
  })
  return Promise.all(firing)
}

async function panelsShow(prometheus: Prometheus, { panels, chosen }: SeenFault): Promise<void> {
  const showing = Object.entries(panels).map(([title, isFault]) => {
    const shows = async () => (await panelShows(prometheus, title, chosen)).some(isFault)
    return becomesTrue(shownMsMax, `the panel ${title} to show the fault`, shows)
  })
  await Promise.all(showing)
}

/** Pending or firing. */
async function alertOf(prometheus: Prometheus, { alerts }: SeenFault, name: string) {
  const wanted = Object.entries({ alertname: name, ...alerts[name] })
  const all = await prometheus.alerts()
  return all.find(({ labels }) => wanted.every(([label, value]) => labels[label] === value))
}
