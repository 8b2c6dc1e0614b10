/** The texts of --help, made from the tables of commands and settings. */
import { settings } from '../config/settings.ts'
import type { Command, Flag } from './command.ts'

export function mainHelp(commands: readonly [Command, ...Command[]]): string {
  const [serve] = commands
  return [
    'LMX gateway: one OpenAI-compatible address for several inference hosts.',
    '',
    'Usage: lmx-gateway [command] [flags]',
    '',
    'Commands:',
    ...table(commands.map((command) => [command.name, command.summary])),
    '',
    `Flags of ${serve.name}:`,
    ...flagTable(serve.flags),
    '  -v, --version and -h, --help (also after a command)',
    '',
    ...serve.notes,
  ].join('\n')
}

export function commandHelp(command: Command): string {
  return [
    command.summary,
    '',
    `Usage: lmx-gateway ${command.name}${command.operand === undefined ? '' : ` ${command.operand}`} [flags]`,
    '',
    'Flags:',
    ...flagTable([...command.flags, { name: 'help', value: '', help: 'This text' }]),
    ...(command.notes.length === 0 ? [] : ['', ...command.notes]),
  ].join('\n')
}

/** Of several commands that are about one thing, as `keys`. */
export function groupHelp(group: string, commands: readonly Command[]): string {
  return [
    `Usage: lmx-gateway ${group} COMMAND [flags]`,
    '',
    'Commands:',
    ...table(commands.map((command) => [command.name, command.summary])),
    '',
    `lmx-gateway help ${group} COMMAND says more about one of them.`,
  ].join('\n')
}

/** Every setting that a flag can give, with its default. */
export const settingFlags: readonly Flag[] = settings.flatMap((setting) => {
  if (setting.flag === null) return []
  const known = 'default' in setting ? ` (default: ${setting.default})` : ''
  return [{ name: setting.flag, value: setting.value, help: `${setting.help}${known}` }]
})

/** What the environment can give, and which of it no flag can. */
export const environmentNotes: readonly string[] = [
  'A flag wins over the environment, the environment over the file, the file over the default.',
  'Environment:',
  ...table(
    settings.map((setting) => [
      setting.environment,
      setting.flag === null ? `${setting.help} (no flag: others could read it)` : environmentHelp(setting.flag),
    ]),
  ),
]

function environmentHelp(flag: string): string {
  return flag === 'host-url' ? 'as --host-url, several with commas between them' : `as --${flag}`
}

/** One line for each flag, as --help has them. */
export function flagTable(flags: readonly Flag[]): string[] {
  return table(flags.map((flag) => [`--${flag.name}${flag.value === '' ? '' : ` ${flag.value}`}`, flag.help]))
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}
