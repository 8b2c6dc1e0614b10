/**
 * `npm run demo`: the real gateway before two simulated LMX hosts, so that everything can be tried without a Mac.
 * Its own flags are in `help`; all others go to the gateway.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCli } from '../../src/cli/cli.ts'
import { startLmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { DemoLoad } from './demo-load.ts'

/** What both simulated hosts have loaded, and what only the larger one has. */
const sharedModel = 'demo/qwen3-30b-a3b'
const largeModel = 'demo/llama-3.3-70b'

const story = (
  'Once upon a time a small Mac shared its models with the whole house. Everybody asked it at the same time, ' +
  'so a gateway was put in front: it kept the line, watched the tokens, and let nobody wait without reason. ' +
  'And the small Mac answered happily ever after.'
).split(/(?<= )/)

const help = `The gateway before two simulated LMX hosts, so that everything can be tried without a Mac.

Usage: npm run demo -- [flags]

Flags:
  --load  Adds clients of its own for ten minutes, and logs warnings and errors only
  --help  This text

All other flags go to the gateway; npm start -- --help lists them.`

const args = process.argv.slice(2)
if (args.includes('--help') || args.includes('-h')) {
  console.log(help)
  process.exit(0)
}
const withLoad = args.includes('--load')
const gatewayArgs = args.filter((arg) => arg !== '--load')
const levelGiven =
  gatewayArgs.some((arg) => /^--log-level(?:=|$)/.test(arg)) || Boolean(process.env['LMX_GATEWAY_LOG_LEVEL'])
// A line for every request of the load would bury what people want to read.
const quietArgs = withLoad && !levelGiven ? ['--log-level', 'warn'] : []

const studio = await startLmxDouble({
  models: [sharedModel, largeModel],
  slots: 3,
  reply: () => story,
  cost: { ttftMs: 120, prefillTokensPerSecond: 900, decodeTokensPerSecond: 60, batchSlowdown: 0.28, jitter: 0.1 },
})
const mini = await startLmxDouble({
  models: [sharedModel],
  slots: 2,
  reply: () => story,
  cost: { ttftMs: 250, prefillTokensPerSecond: 300, decodeTokensPerSecond: 25, batchSlowdown: 0.35, jitter: 0.1 },
})
const folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-demo-'))
const file = join(folder, 'lmx-gateway.yaml')
await writeFile(
  file,
  `hosts:
  - { name: studio, url: "${studio.url}", slots: 3, contextTokensMax: 32768 }
  - { name: mini, url: "${mini.url}", slots: 2, contextTokensMax: 32768 }
models:
  aliases: { fast: ${sharedModel}, large: ${largeModel} }
storage: { path: "${join(folder, 'gateway.db')}" }
`,
)

const load = withLoad ? new DemoLoad([sharedModel, sharedModel, 'fast', 'large']) : null
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => load?.stop())

const out = (text: string): void => {
  console.log(text)
  const url = /^Try it:\n +curl -N (http:\S+)\/chat\/completions /m.exec(text)?.[1]
  if (url !== undefined) load?.start(url)
}

console.log('Two simulated LMX hosts: studio (3 slots, 60 tokens/s) and mini (2 slots, 25 tokens/s).')
if (load === null) console.log('For steady mixed load: npm run demo -- --load')
const code = await runCli(['--config', file, ...quietArgs, ...gatewayArgs], {
  out,
  err: (text) => console.error(text),
})
load?.stop()
await Promise.all([studio.stop(), mini.stop(), rm(folder, { recursive: true })])
process.exit(code)
