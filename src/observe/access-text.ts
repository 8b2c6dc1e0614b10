/** The access line as people read it: what became of the request and how fast it was, in one glance. */
import type { LogFields } from '../base/log.ts'
import type { Colour, Paint } from './paint.ts'

type Shown = (value: string | number | boolean) => string

/** `200 chat_completions qwen3 studio alice  103 tokens 54.2 tok/s  ttft 0.25 s  2.15 s  id=…`; then what went wrong. */
export function accessText(fields: LogFields, { shown, paint }: { shown: Shown; paint: Paint }): string {
  const { status, endpoint, model, asked, host, key, id } = fields
  const said = (value: LogFields[string]): string => (value === null || value === undefined ? '-' : shown(value))
  const parts = [
    [paint(colourOf(fields), said(status)), said(endpoint), said(model ?? asked), said(host), said(key)].join(' '),
    speedText(fields),
    waitText(fields),
    secondsText('', fields['durationMs']),
    ...troubles.map((name) => troubleText(name, fields[name], said)),
    id === undefined ? '' : paint('dim', `id=${said(id)}`),
  ]
  return parts.filter((part) => part !== '').join('  ')
}

/** Shown where they are not as they should be. */
const troubles = ['end', 'error', 'attemptHosts', 'repeated'] as const

function troubleText(name: string, value: LogFields[string], said: (value: LogFields[string]) => string): string {
  return value === null || value === undefined || value === '--' ? '' : `${name}=${said(value)}`
}

function colourOf({ status, end }: LogFields): Colour {
  if (Number(status) >= 500 || (Number(status) < 400 && end !== '--')) return 'red'
  return Number(status) >= 400 ? 'yellow' : 'green'
}

function speedText({ tokensOut, tokensPerSecond }: LogFields): string {
  if (typeof tokensOut !== 'number' || tokensOut === 0) return ''
  const speed = typeof tokensPerSecond === 'number' ? ` ${tokensPerSecond} tok/s` : ''
  return `${tokensOut} token${tokensOut === 1 ? '' : 's'}${speed}`
}

function waitText({ queueMs, ttftMs }: LogFields): string {
  const queued = Number(queueMs) < shownFromMs ? '' : secondsText('queue ', queueMs)
  return [queued, secondsText('ttft ', ttftMs)].filter((part) => part !== '').join(' ')
}

/** A wait that nobody notices is not worth a word. */
const shownFromMs = 5

function secondsText(name: string, ms: LogFields[string]): string {
  return typeof ms === 'number' ? `${name}${(ms / 1_000).toFixed(ms < 9_995 ? 2 : 1)} s` : ''
}
