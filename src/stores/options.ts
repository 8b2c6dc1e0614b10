/** Options of what is kept on disk. */
import { z } from 'zod'
import { count, positiveMilliseconds } from '../base/option-types.ts'

const redisOptions = z.strictObject({
  url: z
    .string()
    .regex(/^rediss?:\/\/[^\s]+$/, 'must be like redis://host:6379 or, over TLS, rediss://host:6380')
    .superRefine((text, context) => {
      const message = redisUrlProblem(text)
      if (message !== null) context.addIssue({ code: 'custom', message })
    })
    .describe('Redis 7 or later, or Valkey 8 or later: redis://host:6379, rediss:// over TLS'),
  username: z.string().min(1).optional().describe('Of an ACL user; default: the one that every Redis has'),
  password: z.string().min(1).optional().describe('Better written as ${VARIABLE}, or kept in passwordFile'),
  passwordFile: z.string().min(1).optional().describe('File that holds the password alone'),
  caFile: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file of the authority that signed the certificate of a rediss:// server'),
  fleet: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'must be 1 to 63 letters, digits, dots, dashes or underscores')
    .default('default')
    .describe('Gateways of one name share all; others on the same server know nothing of them'),
  replica: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,62}$/, 'must be 1 to 63 letters, digits, dots, colons, dashes or underscores')
    .optional()
    .describe('Name of this gateway among them in metrics and pages; default: name of the machine and port'),
  answerMsMax: positiveMilliseconds
    .default(50)
    .describe('What a request waits for Redis at the most; then this gateway decides by its share of the limits'),
  connectMsMax: positiveMilliseconds.default(1_000).describe('Longest time to connect to it'),
  goneAfterMs: positiveMilliseconds
    .min(1_000)
    .default(3_000)
    .describe(
      'A gateway that was not heard for so long is gone, and what it held of hosts and limits is free again; the same for all of a fleet',
    ),
})

/** Null, or one sentence on why it cannot be used, which never shows it: there may be a password in it. */
function redisUrlProblem(text: string): string | null {
  if (!/^rediss?:/.test(text)) return null
  let url: URL
  try {
    url = new URL(text)
    decodeURIComponent(url.username + url.password)
  } catch {
    return 'is no URL; of a password in it, all but letters and digits must be written as %40, or set it in password'
  }
  if (url.hostname === '') return 'must name a host, like redis://host:6379'
  if (url.search !== '' || url.hash !== '') {
    return 'must end after the host, or the number of a database; of a password in it, write # as %23 and ? as %3F'
  }
  if (!/^(?:\/\d{0,4})?$/.test(url.pathname)) return 'may have the number of a database as its path, and nothing else'
  return null
}

export type RedisOptions = z.output<typeof redisOptions>

export const storageOptions = z.strictObject({
  path: z
    .string()
    .min(1)
    .optional()
    .describe(
      'SQLite file of keys; the ledger lies beside it. Default: lmx-gateway/gateway.db under $XDG_STATE_HOME, else ~/.local/state. :memory: keeps nothing',
    ),
  whenUnwritable: z
    .enum(['refuse', 'serve'])
    .default('refuse')
    .describe('At a start when the files can be read but not written: refuse, or serve with what they hold'),
  whenFull: z
    .enum(['continue', 'refuse'])
    .default('continue')
    .describe(
      'Once pendingRowsMax rows could not be written: go on and count the rows that are lost, or answer newcomers 503',
    ),
  pendingRowsMax: count
    .default(100_000)
    .describe('Rows of the ledger that are held in memory while they cannot be written, some 60 MB'),
  redis: redisOptions
    .optional()
    .describe(
      'Where several gateways before the same hosts share limits, slots, keys and usage; without it one stands alone',
    ),
})
