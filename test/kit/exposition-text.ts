import type { Exposition } from '../../src/observe/exposition.ts'

/** What its reader gets. */
export function expositionText({ pieces }: Pick<Exposition, 'pieces'>): string {
  return Buffer.concat(pieces).toString()
}
