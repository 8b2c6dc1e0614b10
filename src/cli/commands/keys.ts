/** `keys …`: who may use the gateway. */
import type { FlagValues } from '../../config/settings.ts'
import type { AccessAdmin, IssuedKey } from '../access-admin.ts'
import type { Command, Flag, Io } from '../command.ts'
import { type KeyBody, keyFlags, readKeyFlags } from '../key-flags.ts'
import { firstKeyText, followedText, issuedText, keyListText, keyName, keyText } from '../key-text.ts'
import { accessFlags, accessNotes, onKey, withAccess } from '../open-access.ts'
import { printable, printableJson } from '../printable.ts'

const json: Flag = { name: 'json', value: '', help: 'The result as one JSON object' }
const operand = 'ID|NAME'

const create: Command = {
  name: 'keys create',
  summary: 'Makes a key and shows it, this once',
  flags: [...keyFlags, json, ...accessFlags],
  notes: [
    'Examples:',
    '  lmx-gateway keys create --name alice --team research --rpm 60 --tpm 100000',
    "  lmx-gateway keys create --name ci --models 'qwen3*' --expires 30d --max-output-tokens 2048",
    '  key=$(lmx-gateway keys create --name app --json | jq -r .key)',
    '',
    ...accessNotes,
  ],
  async run(flags, io) {
    const body = readBody(flags, io)
    if (body === null) return 1
    if (!('name' in body)) return wrong(io, '--name is missing: it is what log, metrics and ledger call the key')
    return withAccess(flags, io, async (access) =>
      tellIssued(await access.create(withoutNone(body)), access, flags, io),
    )
  },
}

const list: Command = {
  name: 'keys list',
  summary: 'Lists the keys',
  flags: [{ name: 'all', value: '', help: 'Those that are revoked as well' }, json, ...accessFlags],
  notes: ['Examples:', "  lmx-gateway keys list --json | jq -r '.keys[].name'", '', ...accessNotes],
  run: (flags, io) =>
    withAccess(flags, io, async (access) => {
      const all = await access.list()
      const keys = isOn(flags, 'all') ? all : all.filter(({ state }) => state !== 'revoked')
      const revoked = all.length - keys.length
      if (isOn(flags, 'json')) io.out(printableJson({ keys }))
      else if (keys.length > 0) io.out(keyListText(keys))
      else
        io.out(
          revoked === 0
            ? `There are no keys yet in ${printable(access.place)}.`
            : `No key is live; --all lists ${revoked} that were.`,
        )
      return 0
    }),
}

const show: Command = {
  name: 'keys show',
  summary: 'Shows all that is known of a key',
  operand,
  flags: [json, ...accessFlags],
  notes: accessNotes,
  run: (flags, io, idOrName) =>
    withAccess(flags, io, async (access) => {
      const view = await onKey(access, idOrName, () => access.find(idOrName))
      io.out(isOn(flags, 'json') ? printableJson(view) : keyText(view))
      return 0
    }),
}

const change: Command = {
  name: 'keys change',
  summary: 'Changes what a key may do; the key itself stays',
  operand,
  flags: [...keyFlags, json, ...accessFlags],
  notes: [
    'What no flag names stays as it is. Examples:',
    '  lmx-gateway keys change alice --rpm 120 --tpm none',
    '  lmx-gateway keys change alice --models all --expires never',
    '  lmx-gateway keys change Ab12Cd34 --name alice-laptop',
    '',
    ...accessNotes,
  ],
  async run(flags, io, idOrName) {
    const body = readBody(flags, io)
    if (body === null) return 1
    if (Object.keys(body).length === 0) return wrong(io, 'nothing to change: no flag says what')
    return withAccess(flags, io, async (access) => {
      const view = await onKey(access, idOrName, () => access.change(idOrName, body))
      io.out(isOn(flags, 'json') ? printableJson(view) : keyText(view))
      return tellFollowed(access, io)
    })
  },
}

const rotate: Command = {
  name: 'keys rotate',
  summary: 'Makes a new secret for a key and shows it, this once; the old one is good for a while',
  operand,
  flags: [
    {
      name: 'grace',
      value: 'TIME',
      help: 'How long the old one is good, such as 90m or 7d; 0 for no longer (default: 24h)',
    },
    json,
    ...accessFlags,
  ],
  notes: [
    'Of two old ones only the later stays. Examples:',
    '  lmx-gateway keys rotate alice',
    '  lmx-gateway keys rotate alice --grace 0 --json | jq -r .key',
    '',
    ...accessNotes,
  ],
  async run(flags, io, idOrName) {
    const given = flags.get('grace')?.at(-1)
    const graceMs = given === undefined ? null : await durationOf(given)
    if (given !== undefined && graceMs === null)
      return wrong(io, `--grace: must be a time such as 90m, 24h or 7d, or 0, not "${given}"`)
    return withAccess(flags, io, async (access) => {
      const issued = await onKey(access, idOrName, () => access.rotate(idOrName, graceMs))
      return tellIssued(issued, access, flags, io)
    })
  },
}

const revoke: Command = {
  name: 'keys revoke',
  summary: 'Ends a key for good, within a second',
  operand,
  flags: [
    { name: 'end-streams', value: '', help: 'Answers that are running under it end as well, honestly broken' },
    json,
    ...accessFlags,
  ],
  notes: ['Revoking the last key does not open the gateway to everybody.', '', ...accessNotes],
  run: (flags, io, idOrName) =>
    withAccess(flags, io, async (access) => {
      const endStreams = isOn(flags, 'end-streams')
      const view = await onKey(access, idOrName, () => access.revoke(idOrName, endStreams))
      const running = endStreams ? 'what runs under it ends now' : 'what runs under it may finish'
      io.out(isOn(flags, 'json') ? printableJson(view) : `Revoked ${keyName(view)}; ${running}.`)
      return tellFollowed(access, io)
    }),
}

export const keyCommands: readonly Command[] = [create, list, show, change, rotate, revoke]

/** The key is all that stands on stdout, so that a script may take it from there; people read the rest beside it. */
function tellIssued(issued: IssuedKey, access: AccessAdmin, flags: FlagValues, io: Io): number {
  if (isOn(flags, 'json')) {
    io.out(printableJson({ key: issued.key, ...issued.view }))
  } else {
    io.out(issued.key)
    io.err(issuedText(issued, access.dataUrl, io.isTerminal === true))
  }
  const first = firstKeyText(issued, access)
  if (first !== null) io.err(first)
  return tellFollowed(access, io)
}

/** Beside what programs take, also from those who look for JSON. */
function tellFollowed(access: AccessAdmin, io: Io): number {
  const followed = followedText(access)
  if (followed !== null) io.err(followed)
  return 0
}

async function durationOf(text: string): Promise<number | null> {
  if (text === '0') return 0
  const { durationMs } = await import('../../access/key-schema.ts')
  return durationMs(text)
}

function readBody(flags: FlagValues, io: Io): KeyBody | null {
  const read = readKeyFlags(flags)
  if (read.kind === 'good') return read.body
  wrong(io, read.message)
  return null
}

/** A new key has nothing that could be taken away from it. */
function withoutNone(body: KeyBody): KeyBody {
  const given = Object.entries(body).flatMap(([name, value]): [string, unknown][] => {
    if (value === null) return []
    if (name !== 'limits' || typeof value !== 'object') return [[name, value]]
    return [[name, Object.fromEntries(Object.entries(value).filter(([, limit]) => limit !== null))]]
  })
  return Object.fromEntries(given)
}

function wrong(io: Io, message: string): number {
  io.err(`lmx-gateway: ${message}`)
  return 1
}

function isOn(flags: FlagValues, name: string): boolean {
  return flags.get(name)?.at(-1) === 'true'
}
