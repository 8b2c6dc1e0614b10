/** The schema of the access line as README has it. */
import { type AccessField, accessFields } from '../../src/observe/access-fields.ts'

export function accessLineRows(): readonly (readonly string[])[] {
  return Object.entries<AccessField>(accessFields).map(([name, { type, unit, meaning }]) => [
    `\`${name}\``,
    type,
    unit ?? '',
    meaning,
  ])
}
