/** The stub itself, without anything before it: what all others are compared with. */
import type { TargetMaker } from './target.ts'

export const directMaker: TargetMaker = {
  name: 'direct',
  words: 'the stub itself',
  absentBecause: () => null,
  start: async ({ hostUrl }) => ({
    name: 'direct',
    words: 'the stub itself',
    url: hostUrl,
    adminUrl: null,
    key: null,
    receipts: false,
    pid: null,
    child: null,
    [Symbol.asyncDispose]: async () => {},
  }),
}
