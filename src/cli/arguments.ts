/** Reads a command's arguments against the flags it knows. */
import { parseArgs } from 'node:util'
import { suggestion } from '../config/nearest.ts'
import type { FlagValues } from '../config/settings.ts'
import type { Flag } from './command.ts'
import { printable } from './printable.ts'

export type ReadArguments =
  | { readonly kind: 'good'; readonly values: FlagValues; readonly operand: string }
  | { readonly kind: 'bad'; readonly message: string }

/**
 * Flags may be written `--port 80` or `--port=80`, switches also `--no-name`; anything else is refused with a sentence.
 * `operandName` is what must stand there without a flag; null where nothing may.
 */
export function readArguments(
  args: readonly string[],
  flags: readonly Flag[],
  operandName: string | null = null,
): ReadArguments {
  const { tokens } = parseArgs({
    args: spelt(args, flags),
    options: Object.fromEntries(
      flags.map((flag) => [flag.name, { type: flag.value === '' ? ('boolean' as const) : ('string' as const) }]),
    ),
    // Our own sentences say more than the strict mode's, and take a value that begins with a dash, such as -1.
    strict: false,
    tokens: true,
    allowPositionals: true,
  })
  const values = new Map<string, string[]>()
  let operand: string | null = null
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional') {
      if (operandName === null || operand !== null) return bad(`"${printable(token.value)}" is not expected here`)
      operand = token.value
      continue
    }
    const read = readOption(token, flags)
    if ('message' in read) return read
    values.set(read.name, [...(values.get(read.name) ?? []), read.value])
  }
  if (operandName !== null && operand === null) return bad(`${operandName} is missing`)
  return { kind: 'good', values, operand: operand ?? '' }
}

/** With the values that flags have without one. */
function spelt(args: readonly string[], flags: readonly Flag[]): string[] {
  return args.map((arg, at) => {
    const bare = flags.find(({ name }) => arg === `--${name}`)?.bare
    const isAlone = args[at + 1]?.startsWith('--') ?? true
    return bare !== undefined && isAlone ? `${arg}=${bare}` : arg
  })
}

interface OptionToken {
  readonly name: string
  readonly rawName: string
  readonly value: string | undefined
  readonly inlineValue: boolean | undefined
}

function readOption(token: OptionToken, flags: readonly Flag[]): { name: string; value: string } | Bad {
  const negated = flags.find((flag) => flag.value === '' && token.rawName === `--no-${flag.name}`)
  if (negated !== undefined && token.value === undefined) return { name: negated.name, value: 'false' }
  const flag = flags.find((candidate) => token.rawName === `--${candidate.name}`)
  if (flag === undefined) {
    const known = flags.map((candidate) => `--${candidate.name}`)
    return bad(`unknown flag ${token.rawName}${suggestion(token.rawName, known)}`)
  }
  if (flag.value === '') return { name: flag.name, value: token.value ?? 'true' }
  const missing = token.value === undefined || (token.inlineValue !== true && token.value.startsWith('--'))
  if (missing) return bad(`--${flag.name} needs a value: --${flag.name} ${flag.value}`)
  return { name: flag.name, value: token.value ?? '' }
}

interface Bad {
  readonly kind: 'bad'
  readonly message: string
}

function bad(message: string): Bad {
  return { kind: 'bad', message }
}
