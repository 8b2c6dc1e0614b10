import { expect, it } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'
import { Expositions } from '../../../src/observe/exposition.ts'
import { SeriesTable } from '../../../src/observe/series-table.ts'
import { expositionText } from '../../kit/exposition-text.ts'

it('takes only the names, types and labels of the metric table: the compiler says so', async () => {
  const table = new SeriesTable({ clock: systemClock, seriesMax: 100, knownModel: () => true })
  table.increase('host_errors_total', { host: 'studio', reason: 'upstream_timeout' })
  // @ts-expect-error a label is missing
  table.increase('host_errors_total', { host: 'studio' })
  // @ts-expect-error there is no such label
  table.increase('host_errors_total', { host: 'studio', reason: 'upstream_timeout', prompt: 'x' })
  // @ts-expect-error a gauge is not counted up
  table.increase('host_up', { host: 'studio' })
  // @ts-expect-error a histogram is observed, not counted up
  expect(() => table.increase('queue_wait_seconds', {})).toThrow('queue_wait_seconds is a histogram')
  // @ts-expect-error there is no such metric
  expect(() => table.observe('no_such_seconds', {}, 1)).toThrow('no metric no_such_seconds')
  const text = expositionText(await new Expositions(table, { clock: systemClock, *refresh() {} }).render('text'))
  // What the compiler would have refused is taken as far as it goes: a missing label is `other`, a surplus one nothing.
  expect(text).toContain('host_errors_total{host="studio",reason="upstream_timeout"} 2')
  expect(text).toContain('host_errors_total{host="studio",reason="other"} 1')
  expect(text).not.toContain('prompt=')
})
