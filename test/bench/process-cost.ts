/** What a process has cost so far, told by the operating system, so that no process measures itself. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** Processor time of all its threads in microseconds; null where this system does not tell. */
export function cpuUsOf(pid: number): number | null {
  if (process.platform === 'linux') {
    const tasks = `/proc/${pid}/task`
    return readdirSync(tasks).reduce((sum, task) => sum + onCoreUsIn(schedstatOf(`${tasks}/${task}`)), 0)
  }
  const text = psOf(pid, 'cputime')
  return text === null ? null : cpuUsInPs(text)
}

/** Memory of it that is in the machine's, in bytes; null where this system does not tell. */
export function residentBytesOf(pid: number): number | null {
  if (process.platform === 'linux') return residentBytesIn(readFileSync(`/proc/${pid}/status`, 'utf8'))
  const text = psOf(pid, 'rss')
  return text === null ? null : Number(text) * 1_024
}

/** The first number of a schedstat is the time on a core, in nanoseconds: a tick of 10 ms would be too coarse. */
export function onCoreUsIn(schedstat: string): number {
  return Number(schedstat.split(' ')[0]) / 1_000
}

export function residentBytesIn(status: string): number | null {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
  return kib === undefined ? null : Number(kib) * 1_024
}

/** `ps -o cputime=` writes [[days-]hours:]minutes:seconds, on a Mac with hundredths. */
export function cpuUsInPs(text: string): number | null {
  const match = /^(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+(?:\.\d+)?)$/.exec(text.trim())
  if (match === null) return null
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0))
  return (((days! * 24 + hours!) * 60 + minutes!) * 60 + seconds!) * 1_000_000
}

/** A thread may have ended since it was listed. */
function schedstatOf(task: string): string {
  try {
    return readFileSync(`${task}/schedstat`, 'utf8')
  } catch {
    return '0'
  }
}

function psOf(pid: number, column: 'cputime' | 'rss'): string | null {
  try {
    return execFileSync('ps', ['-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8' })
  } catch {
    return null
  }
}
