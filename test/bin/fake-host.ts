/** A simulated LMX host to try things by hand: `npm run fake-host -- --help`. */
import { parseArgs } from 'node:util'
import type { LmxDoubleOptions } from '../kit/lmx-double/lmx-double.ts'
import { startLmxDouble } from '../kit/lmx-double/lmx-double.ts'

const help = `A simulated Opta LMX host on 127.0.0.1, for trying the gateway by hand.

  npm run fake-host -- [flags]

  --port N             port (default 1234; 0 takes a free one)
  --model ID           a loaded model; may be repeated (default org/model-a)
  --slots N            advertised concurrency (default 2)
  --effective-slots N  the limit that really holds (default: the advertised one)
  --slot-wait-ms N     how long a request waits for a slot (default 30000)
  --tps N              tokens per second of one stream alone (default 40; 0: no pause)
  --ttft-ms N          fixed time to the first token (default 300)
  --prefill-tps N      prompt tokens read per second (default 800; 0: no pause)
  --batch-slowdown N   how much each further stream slows all (default 0.28)
  --tokens-per-chunk N tokens in one chunk (default 1)
  --answer-tokens N    words of an answer without max_tokens (default 120)
  --jitter N           share by which each step varies (default 0)
  --fail-after N       every answer fails after N tokens, inside the stream as LMX does it
  --echo               answer with the last user text
  --key TEXT           ask for this inference key
  --seed N             seed of the jitter (default 1)
  --help

A marker in the prompt asks for a fault in one answer: [[fault:{"stallAfterTokens":3}]]`

function numberOf(name: string, text: string | undefined, least = 0): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < least) {
    throw new Error(`--${name} must be a number of at least ${least}, not "${text}"`)
  }
  return value
}

function wholeNumberOf(name: string, text: string | undefined, least = 0): number | undefined {
  const value = numberOf(name, text, least)
  if (value !== undefined && !Number.isInteger(value))
    throw new Error(`--${name} must be a whole number, not "${text}"`)
  return value
}

function readFlags(args: readonly string[]) {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: text,
      model: { type: 'string', multiple: true },
      slots: text,
      'effective-slots': text,
      'slot-wait-ms': text,
      tps: text,
      'ttft-ms': text,
      'prefill-tps': text,
      'batch-slowdown': text,
      'tokens-per-chunk': text,
      'answer-tokens': text,
      jitter: text,
      'fail-after': text,
      echo: { type: 'boolean' },
      key: text,
      seed: text,
      help: { type: 'boolean', short: 'h' },
    },
  })
  return values
}

function optionsFrom(flags: ReturnType<typeof readFlags>): LmxDoubleOptions {
  const slots = wholeNumberOf('slots', flags.slots, 1) ?? 2
  const failAfter = wholeNumberOf('fail-after', flags['fail-after'])
  return {
    port: wholeNumberOf('port', flags.port) ?? 1234,
    models: flags.model ?? ['org/model-a'],
    slots,
    effectiveSlots: wholeNumberOf('effective-slots', flags['effective-slots'], 1) ?? slots,
    slotWaitMs: numberOf('slot-wait-ms', flags['slot-wait-ms']) ?? 30_000,
    answerTokens: wholeNumberOf('answer-tokens', flags['answer-tokens']) ?? 120,
    seed: wholeNumberOf('seed', flags.seed) ?? 1,
    echo: flags.echo ?? false,
    cost: {
      decodeTokensPerSecond: numberOf('tps', flags.tps) ?? 40,
      ttftMs: numberOf('ttft-ms', flags['ttft-ms']) ?? 300,
      prefillTokensPerSecond: numberOf('prefill-tps', flags['prefill-tps']) ?? 800,
      batchSlowdown: numberOf('batch-slowdown', flags['batch-slowdown']) ?? 0.28,
      tokensPerChunk: wholeNumberOf('tokens-per-chunk', flags['tokens-per-chunk'], 1) ?? 1,
      jitter: numberOf('jitter', flags.jitter) ?? 0,
    },
    ...(flags.key === undefined ? {} : { requireKey: flags.key }),
    ...(failAfter === undefined ? {} : { faults: { errorAfterTokens: failAfter } }),
  }
}

async function main(): Promise<void> {
  let options: LmxDoubleOptions
  try {
    const flags = readFlags(process.argv.slice(2))
    if (flags.help === true) return console.log(help)
    options = optionsFrom(flags)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\nSee --help.`)
    process.exitCode = 1
    return
  }
  const double = await startLmxDouble(options).catch((error: unknown) => {
    console.error(
      `The host cannot listen on port ${options.port}: ${error instanceof Error ? error.message : String(error)}`,
    )
    process.exitCode = 1
    return null
  })
  if (double === null) return
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

await main()
