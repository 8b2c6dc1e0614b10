/** The few value types that the rooms' option schemas share; each carries its unit in the option's name. */
import { z } from 'zod'

/** Whole milliseconds; a timer of Node's cannot be longer than 2^31 - 1. */
export const milliseconds = z.int().min(0).max(2_147_483_647)
export const positiveMilliseconds = z.int().min(1).max(2_147_483_647)
export const bytes = z.int().min(1)
export const count = z.int().min(1)
export const port = z.int().min(0).max(65_535)

/** Name of a zone whose calendar days count. */
export const timeZone = z.string().superRefine((name, context) => {
  if (!isTimeZone(name))
    context.addIssue({ code: 'custom', message: `"${name}" is no time zone; write it like Europe/Berlin` })
})

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}
