/** What gateways tell each other of the models of one host. */
import { z } from 'zod'

const counts = z.array(z.tuple([z.string(), z.number()]))
const names = z.array(z.string())

/** Host; requests there and requests that wait, by model; model, whether it is alone, and whom it puts out; model and who is out. */
export const modelsRow = z.tuple([
  z.string(),
  counts,
  counts,
  z.tuple([z.string(), z.boolean(), names]).nullable(),
  z.tuple([z.string(), names.nullable()]).nullable(),
])

export type ModelsRow = z.infer<typeof modelsRow>
export type Counts = z.infer<typeof counts>
