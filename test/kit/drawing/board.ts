/** The part of a Grafana dashboard that a picture of it shows, and what Prometheus has for it. */
import { asGrafana } from '../dashboard/as-grafana.ts'

export interface BoardPanel {
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly legendFormat?: string }[]
  readonly fieldConfig?: {
    readonly overrides?: readonly {
      readonly matcher: { readonly id: string; readonly options?: unknown }
      readonly properties: readonly { readonly id: string; readonly value?: unknown }[]
    }[]
    readonly defaults: {
      readonly unit?: string
      readonly min?: number
      readonly max?: number
      readonly thresholds?: { readonly steps: readonly { readonly color: string; readonly value: number | null }[] }
      readonly custom?: { readonly stacking?: { readonly mode: string } }
      readonly mappings?: readonly { readonly options?: Readonly<Record<string, { readonly text?: string }>> }[]
    }
  }
}

export interface Board {
  readonly title: string
  readonly panels: readonly BoardPanel[]
}

/** One line of a panel: Unix seconds and values, NaN where there is none. */
export interface Line {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** Unit of the axis on the right, where it belongs to that. */
  readonly rightUnit: string | null
  readonly points: readonly (readonly [time: number, value: number])[]
}

/** A span of time, in Unix seconds, and how far apart its points are. */
export interface Span {
  readonly from: number
  readonly to: number
  readonly step: number
}

interface Matrix {
  readonly metric: Readonly<Record<string, string>>
  readonly values: readonly (readonly [number, string])[]
}

/** All lines of a panel, named as its legend says; throws what Prometheus finds wrong with a query. */
export async function linesOf(panel: BoardPanel, url: string, span: Span, rateInterval: string): Promise<Line[]> {
  const all = (panel.targets ?? []).map(async ({ refId, expr, legendFormat = '' }) => {
    const matrix = await queryRange(url, asGrafana(expr, { rateInterval }), span)
    return matrix.map(({ metric, values }): Line => {
      const name = legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_all, label: string) => metric[label] ?? '')
      return {
        name,
        labels: metric,
        rightUnit: rightUnitOf(panel, refId),
        points: values.map(([time, value]) => [time, Number(value)] as const),
      }
    })
  })
  return (await Promise.all(all)).flat()
}

function rightUnitOf({ fieldConfig }: BoardPanel, refId: string): string | null {
  const own = fieldConfig?.overrides?.find(({ matcher }) => matcher.id === 'byFrameRefID' && matcher.options === refId)
  const isRight = own?.properties.some(({ id, value }) => id === 'custom.axisPlacement' && value === 'right')
  if (isRight !== true) return null
  const unit = own?.properties.find(({ id }) => id === 'unit')?.value
  return typeof unit === 'string' ? unit : 'none'
}

async function queryRange(url: string, query: string, { from, to, step }: Span): Promise<readonly Matrix[]> {
  const body = new URLSearchParams({ query, start: String(from), end: String(to), step: String(step) })
  const response = await fetch(`${url}/api/v1/query_range`, { method: 'POST', body })
  const answer = (await response.json()) as { error?: string; data?: { result: Matrix[] } }
  if (answer.data === undefined) throw new Error(`${answer.error ?? response.status} in ${query}`)
  return answer.data.result
}
