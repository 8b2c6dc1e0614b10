/** What holds for the line: its options, with all filled in. */
import type { QueueOptions } from './options.ts'

/** What holds for one class. */
export interface ClassRules {
  readonly share: number
  readonly lengthMax: number
  readonly waitMsMax: number
  /** Null for the class that cannot rise. */
  readonly promoteAfterMs: number | null
}

export type QueueRules = Omit<QueueOptions, 'bytesMax' | 'classes'> & {
  readonly classes: Readonly<Record<'interactive' | 'default' | 'bulk', ClassRules>>
}

interface OwnRules {
  readonly share: number
  readonly lengthMax?: number | undefined
  readonly waitMsMax?: number | undefined
  readonly promoteAfterMs?: number
}

/** The options with everything filled in that one takes from another. */
export function queueRules({ classes, ...common }: Omit<QueueOptions, 'bytesMax'>): QueueRules {
  const filled = (own: OwnRules): ClassRules => ({
    share: own.share,
    lengthMax: own.lengthMax ?? common.lengthMax,
    waitMsMax: own.waitMsMax ?? common.waitMsMax,
    promoteAfterMs: own.promoteAfterMs ?? null,
  })
  return {
    ...common,
    classes: {
      interactive: filled(classes.interactive),
      default: filled(classes.default),
      bulk: filled(classes.bulk),
    },
  }
}
