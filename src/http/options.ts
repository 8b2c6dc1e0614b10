/** Options of the two listeners. */
import { z } from 'zod'
import { count, milliseconds, port, positiveMilliseconds } from '../base/option-types.ts'

const address = z.string().min(1)

export const serverOptions = z.strictObject({
  bind: address
    .default('127.0.0.1')
    .describe('Address of the data listener; anything but loopback needs --allow-anonymous'),
  port: port.default(4_000).describe('Port of the data listener; 0 takes a free one'),
  allowAnonymous: z.boolean().default(false).describe('Serve clients without keys on any address'),
  headerMsMax: positiveMilliseconds.default(10_000).describe('Until a client has sent its request headers'),
  keepAliveMs: milliseconds.default(65_000).describe('Idle client connections; longer than those of client pools'),
  headerBytesMax: count.default(16_384).describe('Request line and headers of a client'),
  headersMax: count.default(100).describe('Headers of one request'),
  connectionsMax: count
    .default(10_000)
    .describe('Open connections of a listener in all; one more is answered 503 and closed'),
  connectionsPerAddressMax: count
    .default(8_000)
    .describe(
      'The same from one address. A proxy shares its own among all its clients, so there is room for 5,000 streams from one; lower it where clients come by themselves',
    ),
  halfClose: z
    .enum(['leaves', 'answered'])
    .default('leaves')
    .describe(
      'A client that ends its sending side after its request: taken for one that leaves, which looks the same until something is written to it; or answered, and its leaving noticed only then',
    ),
  shutdownDelayMs: milliseconds.default(0).describe('On SIGTERM: time between /readyz 503 and refusing newcomers'),
  drainMsMax: milliseconds.default(60_000).describe('On SIGTERM: time for running and waiting requests'),
})

export const adminOptions = z.strictObject({
  bind: address
    .default('127.0.0.1')
    .describe('Address of the admin listener; anything but loopback needs metricsToken'),
  port: port.default(4_001).describe('Port of the admin listener; 0 takes a free one'),
  metricsToken: z.string().min(16).optional().describe('Bearer token for /metrics; needed off loopback'),
})

export type ServerOptions = z.infer<typeof serverOptions>
