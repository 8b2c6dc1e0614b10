/** The parts of README that are made from code, so that they cannot be wrong. */

import { readFileSync } from 'node:fs'
import { limitKinds } from '../../src/access/limits.ts'
import { routingReasons } from '../../src/balancing/policy.ts'
import { reasonMeanings } from '../../src/balancing/reasons.ts'
import { errorCatalogue } from '../../src/base/errors.ts'
import { configJsonSchema } from '../../src/config/json-schema.ts'
import { hostKinds } from '../../src/hosts/kinds/kinds.ts'
import { adminRoutes } from '../../src/http/admin/routes.ts'
import { terms } from '../../src/observe/definitions/terms.ts'
import { type MetricDefinition, metricDefinitions, metricPrefix } from '../../src/observe/metric-names.ts'
import { endpoints } from '../../src/wire/endpoints.ts'
import { accessLineRows } from './readme-access-line.ts'
import { runbook } from './readme-runbook.ts'

/** By the name that marks the part: `<!-- begin NAME -->` … `<!-- end NAME -->`. */
const readmeTables: Readonly<Record<string, () => string>> = {
  'access-line': () => table(['field', 'type', 'unit', 'meaning'], accessLineRows()),
  'admin-routes': adminRouteTable,
  configuration: configurationTable,
  endpoints: endpointTable,
  errors: errorTable,
  'haproxy-example': () => exampleOf('haproxy.cfg', 'haproxy'),
  'nginx-example': () => exampleOf('nginx.conf', 'nginx'),
  'host-kinds': hostKindTable,
  limits: limitTable,
  metrics: metricTable,
  buckets: bucketTable,
  'routing-reasons': () =>
    table(
      ['reason', 'this host was chosen, since'],
      routingReasons.map((reason) => [`\`${reason}\``, reasonMeanings[reason]]),
    ),
  runbook,
  terms: termTable,
}

/** README with every marked part made anew. */
export function withTables(readme: string): string {
  return Object.entries(readmeTables).reduce((text, [name, make]) => {
    const part = new RegExp(`(<!-- begin ${name} -->\n)[\\s\\S]*?(<!-- end ${name} -->)`)
    if (!part.test(text)) throw new Error(`README has no part "${name}"`)
    return text.replace(part, (_all, begin: string, end: string) => `${begin}${make()}\n${end}`)
  }, readme)
}

/** Run as it stands there by test/integration/balancer-examples.test.ts. */
function exampleOf(file: string, language: string): string {
  const text = readFileSync(new URL(`several-gateways/${file}`, import.meta.url), 'utf8')
  return `\`\`\`${language}\n${text}\`\`\``
}

interface Property {
  readonly description?: string
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, Property>>
  readonly items?: Property
}

function configurationTable(): string {
  const { properties = {} } = configJsonSchema() as Property
  const rows = Object.entries(properties).flatMap(([name, property]) => configurationRows(name, property))
  return table(['key', 'default', 'meaning'], rows)
}

function configurationRows(path: string, property: Property): string[][] {
  const inner = property.properties ?? property.items?.properties
  // An object that says what it is for is one row; its members are told elsewhere.
  if (inner !== undefined && property.description === undefined) {
    const prefix = property.properties === undefined ? `${path}[]` : path
    return Object.entries(inner).flatMap(([name, one]) => configurationRows(`${prefix}.${name}`, one))
  }
  const value = property.default === undefined ? '' : `\`${JSON.stringify(property.default)}\``
  return [[`\`${path}\``, value, property.description ?? '']]
}

function termTable(): string {
  return table(
    ['term', 'means'],
    Object.values(terms).map(({ name, definition }) => [name, definition]),
  )
}

/** Histograms that are compared share their edges. */
function bucketTable(): string {
  const users = new Map<string, string[]>()
  for (const [name, { buckets }] of Object.entries<MetricDefinition>(metricDefinitions)) {
    if (buckets === undefined) continue
    const edges = buckets.join(' ')
    users.set(edges, [...(users.get(edges) ?? []), `\`${name}\``])
  }
  return table(
    ['upper edges of buckets', 'of'],
    Array.from(users, ([edges, names]) => [edges, names.join(', ')]),
  )
}

function adminRouteTable(): string {
  return table(
    ['route', 'what it does'],
    adminRoutes.map(({ method, path, summary }) => [`\`${method} ${path}\``, summary]),
  )
}

function limitTable(): string {
  return table(
    ['limit', 'flag of `keys`', 'meaning'],
    Object.entries(limitKinds).map(([name, { flag, meaning }]) => [`\`${name}\``, `\`--${flag}\``, meaning]),
  )
}

function endpointTable(): string {
  return table(
    ['path', 'body', 'streams'],
    endpoints.map(({ path, body, dialect }) => [`\`POST ${path}\``, body, dialect === 'none' ? '' : 'yes']),
  )
}

function errorTable(): string {
  const rows = Object.entries(errorCatalogue).map(([code, { status, type, shouldRetry, meaning }]) => [
    `\`${code}\``,
    String(status),
    `\`${type}\``,
    shouldRetry ? 'yes' : 'no',
    meaning,
  ])
  return table(['code', 'status', 'type', 'retry', 'meaning'], rows)
}

function hostKindTable(): string {
  const rows = hostKinds.map(({ name, slotsDefault, slotsMax, loadsOnDemand, documentationOnly }) => [
    `\`${name}\``,
    String(slotsDefault),
    String(slotsMax),
    loadsOnDemand ? 'yes' : 'no',
    documentationOnly ? 'its documentation and source' : 'wire captures of the server itself',
  ])
  return table(['kind', 'slots: least', 'most', 'loads on demand', 'known to us from'], rows)
}

function metricTable(): string {
  const rows = Object.entries<MetricDefinition>(metricDefinitions).map(([name, { type, labels, help }]) => [
    `\`${metricPrefix}${name}\``,
    type,
    labels.join(', '),
    help,
  ])
  return table(['name', 'type', 'labels', 'meaning'], rows)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
