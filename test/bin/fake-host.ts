/** A simulated LMX host to try things by hand: `npm run fake-host -- --help`. */
import { readArguments } from '../../src/cli/arguments.ts'
import type { Flag } from '../../src/cli/command.ts'
import { flagTable } from '../../src/cli/help.ts'
import type { FlagValues } from '../../src/config/settings.ts'
import type { LmxDoubleOptions } from '../kit/lmx-double/lmx-double.ts'
import { startLmxDouble } from '../kit/lmx-double/lmx-double.ts'

const address = '127.0.0.1'

const flags: readonly Flag[] = [
  { name: 'port', value: 'N', help: 'Port (default: 1234; 0 takes a free one)' },
  { name: 'model', value: 'ID', help: 'A loaded model, repeatable (default: org/model-a)' },
  { name: 'slots', value: 'N', help: 'Advertised concurrency (default: 2)' },
  { name: 'effective-slots', value: 'N', help: 'The limit that really holds (default: the advertised one)' },
  { name: 'slot-wait-ms', value: 'N', help: 'How long a request waits for a slot (default: 30000)' },
  { name: 'tps', value: 'N', help: 'Tokens per second of one stream alone (default: 40; 0: no pause)' },
  { name: 'ttft-ms', value: 'N', help: 'Fixed time to the first token (default: 300)' },
  { name: 'prefill-tps', value: 'N', help: 'Prompt tokens read per second (default: 800; 0: no pause)' },
  { name: 'keeps-prefixes', value: '', help: 'Messages at the beginning that were read before take no time again' },
  { name: 'batch-slowdown', value: 'N', help: 'How much each further stream slows all (default: 0.28)' },
  { name: 'tokens-per-chunk', value: 'N', help: 'Tokens in one chunk (default: 1)' },
  { name: 'answer-tokens', value: 'N', help: 'Words of an answer without max_tokens (default: 120)' },
  { name: 'jitter', value: 'N', help: 'Share by which each step varies (default: 0)' },
  { name: 'fail-after', value: 'N', help: 'Every answer fails after N tokens, inside the stream as LMX does it' },
  { name: 'echo', value: '', help: 'Answers with the last user text' },
  { name: 'key', value: 'TEXT', help: 'Asks for this inference key' },
  { name: 'seed', value: 'N', help: 'Seed of the jitter (default: 1)' },
]

const help = [
  `A simulated Opta LMX host on ${address}, for trying the gateway by hand.`,
  '',
  'Usage: npm run fake-host -- [flags]',
  '',
  'Flags:',
  ...flagTable([...flags, { name: 'help', value: '', help: 'This text' }]),
  '',
  'A marker in the prompt asks for a fault in one answer: [[fault:{"stallAfterTokens":3}]]',
  '',
  'Two things are as plain here as in LMX: a request with tools is answered in text, unless the model writes the',
  'markup of MiniMax for a call; and a whole answer of /v1/responses has its text in output_text and an empty output.',
].join('\n')

const all = { least: 0, most: Number.MAX_SAFE_INTEGER }

function numberOf(values: FlagValues, name: string, { least, most } = all): number | undefined {
  const text = values.get(name)?.at(-1)
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < least) {
    throw new Error(`--${name} must be a number of at least ${least}, not "${text}"`)
  }
  if (value > most) throw new Error(`--${name} must be at most ${most}, not ${text}`)
  return value
}

function wholeNumberOf(values: FlagValues, name: string, range = all): number | undefined {
  const value = numberOf(values, name, range)
  if (value !== undefined && !Number.isInteger(value)) throw new Error(`--${name} must be a whole number, not ${value}`)
  return value
}

function optionsFrom(values: FlagValues): LmxDoubleOptions {
  const one = { ...all, least: 1 }
  const slots = wholeNumberOf(values, 'slots', one) ?? 2
  const failAfter = wholeNumberOf(values, 'fail-after')
  const key = values.get('key')?.at(-1)
  return {
    host: address,
    port: wholeNumberOf(values, 'port', { least: 0, most: 65_535 }) ?? 1234,
    models: values.get('model') ?? ['org/model-a'],
    slots,
    effectiveSlots: wholeNumberOf(values, 'effective-slots', one) ?? slots,
    slotWaitMs: numberOf(values, 'slot-wait-ms') ?? 30_000,
    answerTokens: wholeNumberOf(values, 'answer-tokens') ?? 120,
    seed: wholeNumberOf(values, 'seed') ?? 1,
    keepsPrefixes: values.get('keeps-prefixes')?.at(-1) === 'true',
    echo: values.get('echo')?.at(-1) === 'true',
    cost: {
      decodeTokensPerSecond: numberOf(values, 'tps') ?? 40,
      ttftMs: numberOf(values, 'ttft-ms') ?? 300,
      prefillTokensPerSecond: numberOf(values, 'prefill-tps') ?? 800,
      batchSlowdown: numberOf(values, 'batch-slowdown') ?? 0.28,
      tokensPerChunk: wholeNumberOf(values, 'tokens-per-chunk', one) ?? 1,
      jitter: numberOf(values, 'jitter') ?? 0,
    },
    ...(key === undefined ? {} : { requireKey: key }),
    ...(failAfter === undefined ? {} : { faults: { errorAfterTokens: failAfter } }),
  }
}

function readOptions(args: readonly string[]): LmxDoubleOptions {
  const read = readArguments(args, flags)
  if (read.kind === 'bad') throw new Error(read.message)
  return optionsFrom(read.values)
}

function refuse(sentence: string): void {
  console.error(`fake-host: ${sentence}`)
  process.exitCode = 1
}

function cannotListen(port: number | undefined, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') {
    return `${address}:${port} is in use; stop the program there or choose another port with --port.`
  }
  if (code === 'EACCES') return `No permission to listen on ${address}:${port}; choose a port above 1023 with --port.`
  return `Cannot listen on ${address}:${port}: ${messageOf(error)}.`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) return console.log(help)
  let options: LmxDoubleOptions
  try {
    options = readOptions(args)
  } catch (error) {
    return refuse(`${messageOf(error)} (npm run fake-host -- --help lists what there is)`)
  }
  const double = await startLmxDouble(options).catch((error: unknown) => refuse(cannotListen(options.port, error)))
  if (double === undefined) return
  const model = options.models?.[0] ?? ''
  const key = options.requireKey === undefined ? '' : ` -H 'authorization: Bearer ${options.requireKey}'`
  const body = JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'Say something' }] })
  console.log(
    `A simulated LMX host serves ${options.models?.join(', ')} with ${options.slots} slots at ${double.url}/v1`,
  )
  console.log(`\ncurl -N ${double.url}/v1/chat/completions${key} -H 'content-type: application/json' -d '${body}'\n`)
  const signals = ['SIGTERM', 'SIGINT'] as const
  for (const signal of signals) {
    process.once(signal, () => {
      console.log(`${signal}: no new connections; ${double.running} running answers finish first.`)
      void double.sigterm()
    })
  }
}

await main(process.argv.slice(2))
