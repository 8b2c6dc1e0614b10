/** Options of the two listeners. */
import { z } from 'zod'
import { count, milliseconds, port, positiveMilliseconds } from '../base/option-types.ts'
import { addressRange } from './client-address.ts'

const address = z.string().min(1)

const originRule = 'must be an origin such as https://app.example.org or app://name, without a path'

/** `https://app.example.org`: scheme and host, a port where it is not the usual one, and nothing behind it. */
const origin = z
  .string()
  .regex(/^[a-z][a-z\d+.-]*:\/\/[^\s/?#*@\\]+$/, originRule)
  .refine((text) => URL.canParse(text), originRule)

/** An address or a range of them: 10.0.0.5, 10.0.0.0/8, fd00::/8. */
const networkRange = z
  .string()
  .refine((text) => addressRange(text) !== null, 'must be an address or a range such as 10.0.0.0/8')

const tls = z.strictObject({
  cert: z.string().min(1).describe('PEM file of the certificate and its chain; read again when it changes'),
  key: z.string().min(1).describe('PEM file of its key'),
})

export const serverOptions = z.strictObject({
  bind: address
    .default('127.0.0.1')
    .describe('Address of the data listener; anything but loopback needs a key, or --allow-anonymous'),
  port: port.default(4_000).describe('Port of the data listener; 0 takes a free one'),
  allowAnonymous: z
    .boolean()
    .default(false)
    .describe('Serve clients without keys, on any address, also once there are keys'),
  tls: tls.optional().describe('Serve clients over TLS (1.2 and up) with these files'),
  corsOrigins: z
    .array(origin)
    .default([])
    .describe(
      'Origins whose pages may call the gateway from a browser or an application (app://obsidian.md); none by default. Without a key no other page is served',
    ),
  trustedProxies: z
    .array(networkRange)
    .default([])
    .describe('Addresses of proxies in front of the gateway, whose X-Forwarded-For is believed; none by default'),
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
      'The same from one address, or from one IPv6 network of 64 bits. A proxy shares its own among all its clients, so there is room for 5,000 streams from one; lower it where clients come by themselves',
    ),
  halfClose: z
    .enum(['leaves', 'answered'])
    .default('leaves')
    .describe(
      'A client that ends its sending side after its request: taken for one that leaves, which looks the same until something is written to it; or answered, and its leaving noticed only then',
    ),
  reloadOnChange: z
    .boolean()
    .default(true)
    .describe(
      'Take the configuration anew when its file changes; SIGHUP and POST /admin/config/reload do so in any case',
    ),
  shutdownDelayMs: milliseconds.default(0).describe('On SIGTERM: time between /readyz 503 and refusing newcomers'),
  drainMsMax: milliseconds.default(60_000).describe('On SIGTERM: time for running and waiting requests'),
})

export const adminOptions = z.strictObject({
  bind: address
    .default('127.0.0.1')
    .describe('Address of the admin listener; anything but loopback needs metricsToken'),
  port: port.default(4_001).describe('Port of the admin listener; 0 takes a free one'),
  hostNames: z
    .array(z.string().min(1))
    .default([])
    .describe('Further names by which the admin listener may be called; else only localhost and addresses'),
  metricsToken: z
    .string()
    .min(16)
    .regex(/^\S*$/, 'must be one word, since it is sent as a bearer token')
    .optional()
    .describe('Bearer token for /metrics; needed off loopback'),
  hostNetworks: z
    .array(networkRange)
    .default([])
    .describe(
      'Networks in which the admin API may add hosts, such as 192.168.0.0/16; the address is looked at when it is connected to. None by default: hosts are added by the configuration alone',
    ),
})

export type ServerOptions = z.infer<typeof serverOptions>
