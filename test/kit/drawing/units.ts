/** Numbers as people read them, in the units that dashboards name. */

export function shownIn(unit: string, value: number): string {
  if (!Number.isFinite(value)) return '–'
  const suffix = /^suffix: ?(.*)$/.exec(unit)?.[1]
  if (suffix !== undefined) return `${short(value)} ${suffix}`
  const shown = units[unit]
  if (shown === undefined) throw new Error(`no drawing for the unit ${unit}`)
  return shown(value)
}

const units: Readonly<Record<string, (value: number) => string>> = {
  none: short,
  s: seconds,
  reqps: (value) => `${short(value)} req/s`,
  percentunit: (value) => `${short(value * 100)} %`,
  bytes: (value) => scaled(value, 1_024, ['B', 'KiB', 'MiB', 'GiB']),
  decgbytes: (value) => scaled(value, 1_000, ['GB', 'TB']),
}

export function short(value: number): string {
  const size = Math.abs(value)
  if (size >= 1_000) return scaled(value, 1_000, ['', 'k', 'M', 'G']).replace(' ', '')
  if (size >= 100 || value === 0) return String(Math.round(value))
  return String(Number(value.toPrecision(size >= 1 ? 3 : 2)))
}

function seconds(value: number): string {
  const size = Math.abs(value)
  if (value === 0) return '0 s'
  if (size < 0.001) return `${short(value * 1e6)} µs`
  if (size < 1) return `${short(value * 1_000)} ms`
  if (size < 120) return `${short(value)} s`
  return size < 7_200 ? `${short(value / 60)} min` : `${short(value / 3_600)} h`
}

function scaled(value: number, step: number, names: readonly string[]): string {
  let at = 0
  let left = value
  while (Math.abs(left) >= step && at < names.length - 1) {
    left /= step
    at++
  }
  const digits = Math.abs(left) >= 100 ? 0 : Math.abs(left) >= 10 ? 1 : 2
  return `${Number(left.toFixed(digits))} ${names[at] ?? ''}`.trimEnd()
}
