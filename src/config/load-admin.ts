/**
 * Where the admin listener of a gateway is by its configuration: of a file with mistakes elsewhere, too. Whoever looks after
 * a gateway that runs needs it most just then.
 */
import { z } from 'zod'
import { adminOptions } from '../http/options.ts'
import { findingsOf } from './findings.ts'
import { overlay } from './overlay.ts'
import type { ConfigPath, Problem } from './problem.ts'
import { type LoadOptions, placed, readSource } from './source.ts'
import { valueAt } from './untyped.ts'

export type AdminPlace =
  | {
      readonly kind: 'good'
      readonly bind: string
      readonly port: number
      /** Why nothing of the file counts, where that is so. */
      readonly unread: readonly Problem[]
    }
  | { readonly kind: 'bad'; readonly problems: readonly Problem[] }

const { bind, port } = adminOptions.shape
const placeOptions = z.object({ bind, port })

const sectionPath: ConfigPath = ['admin']

export async function loadAdmin(options: LoadOptions): Promise<AdminPlace> {
  const source = await readSource(options)
  const isUnread = source.yaml === null ? source.problems.length > 0 : !source.yaml.readable
  const overlaid = overlay(source.yaml?.input ?? {}, source.environment, options.flags)
  // It is another one that was meant than any that runs with the defaults.
  if (source.yaml === null && isUnread && overlaid.origin([...sectionPath, 'port']) === null)
    return { kind: 'bad', problems: source.problems }
  const faults = source.problems.filter(({ path }) => isOurs(path) && overlaid.origin(path.split('.')) === null)
  if (faults.length > 0) return { kind: 'bad', problems: faults }
  const input = withoutBlanks(valueAt(overlaid.input, sectionPath) ?? {})
  const wrong = wrongIn(input)
  if (wrong.length === 0) {
    return { kind: 'good', ...placeOptions.parse(input), unread: isUnread ? source.problems : [] }
  }
  const issues = wrong.map((issue) => ({ ...issue, path: [...sectionPath, ...issue.path] }))
  const hidden = (path: ConfigPath): boolean => source.yaml?.interpolated(path) ?? false
  const findings = findingsOf(issues, { input: overlaid.input, hidden })
  return { kind: 'bad', problems: findings.flatMap((finding) => placed(finding, overlaid, source)) }
}

/** Of the two, and a word that is none of the section, which may have been meant to be one of them. */
function wrongIn(input: unknown): readonly z.core.$ZodIssue[] {
  const ofPlace = placeOptions.safeParse(input).error?.issues ?? []
  const ofSection = adminOptions.safeParse(input).error?.issues ?? []
  return [...ofPlace, ...ofSection.filter(({ code }) => code === 'unrecognized_keys')]
}

/** Of what was wrong with values already when the file was read: a variable that is not set. */
function isOurs(path: string): boolean {
  return ['admin', 'admin.bind', 'admin.port'].includes(path)
}

/** A known key without a value means its default. */
function withoutBlanks(section: unknown): unknown {
  if (typeof section !== 'object' || section === null || Array.isArray(section)) return section
  return Object.fromEntries(Object.entries(section).filter(([, value]) => value !== null))
}
