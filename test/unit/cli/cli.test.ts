import { describe, expect, test } from 'vitest'
import manifest from '../../../package.json' with { type: 'json' }
import { runCli } from '../../../src/cli/cli.ts'
import { commands } from '../../../src/cli/named-command.ts'
import { settings } from '../../../src/config/settings.ts'

async function run(...args: string[]) {
  const out: string[] = []
  const err: string[] = []
  const code = await runCli(args, { out: (text) => out.push(text), err: (text) => err.push(text) })
  return { code, out: out.join('\n'), err: err.join('\n') }
}

describe('the command line', () => {
  test.each([['--version'], ['-v'], ['serve', '--version']])('%s %s prints the version', async (...args) => {
    expect(await run(...args)).toEqual({ code: 0, out: manifest.version, err: '' })
  })

  test('--help lists every command, every flag and every variable', async () => {
    const { code, out } = await run('--help')
    expect(code).toBe(0)
    for (const command of commands) expect(out).toContain(`\n  ${command.name} `)
    for (const setting of settings) {
      if (setting.flag !== null) expect(out).toContain(`\n  --${setting.flag} `)
      expect(out).toContain(`\n  ${setting.environment} `)
    }
  })

  test.each(commands.map((command) => [command.name, command] as const))(
    '%s --help lists its flags',
    async (name, command) => {
      const { code, out } = await run(...name.split(' '), '--help')
      expect(code).toBe(0)
      const operand = command.operand === undefined ? '' : ` ${command.operand}`
      expect(out).toContain(`Usage: lmx-gateway ${name}${operand} [flags]`)
      for (const flag of [...command.flags, { name: 'help' }]) expect(out).toContain(`\n  --${flag.name}`)
      expect(await run('help', ...name.split(' '))).toEqual({ code, out, err: '' })
    },
  )

  test.each([
    [['sreve'], 'lmx-gateway: unknown command "sreve"; did you mean "serve"?'],
    [
      ['zzzzzz'],
      'lmx-gateway: unknown command "zzzzzz"; there are serve, keys, usage, queue, requests, why, stats, hosts, models, replicas, reload, admin-token, check-config, config-schema',
    ],
    [['help', 'sreve'], 'lmx-gateway: unknown command "sreve"; did you mean "serve"?'],
    [
      ['--prot', '1'],
      'lmx-gateway: unknown flag --prot; did you mean "--port"? (lmx-gateway --help lists what there is)',
    ],
    [
      ['check-config', '--jsn'],
      /^lmx-gateway: unknown flag --jsn; did you mean "--json"\? \(lmx-gateway check-config --help/,
    ],
    [['keys', 'craete'], 'lmx-gateway: unknown command "keys craete"; did you mean "keys create"?'],
    [
      ['keys', 'zzzzzz'],
      /^lmx-gateway: unknown command "keys zzzzzz"; there are keys create, keys list, keys show, keys change, keys rotate,/,
    ],
    [['keys'], /^lmx-gateway: keys alone is no command; there are keys create, /],
    [['keys', '--json'], /^lmx-gateway: keys alone is no command; /],
    [['help', 'keys', 'craete'], 'lmx-gateway: unknown command "keys craete"; did you mean "keys create"?'],
    [['\u001b[2J'], /^lmx-gateway: unknown command "\?\[2J"/],
    [['keys', 'show'], 'lmx-gateway: ID|NAME is missing (lmx-gateway keys show --help lists what there is)'],
    [['keys', 'show', 'a', 'b'], /^lmx-gateway: "b" is not expected here \(lmx-gateway keys show --help/],
    [['serve', 'x'], /^lmx-gateway: "x" is not expected here/],
  ])('%j is refused with one sentence', async (args, sentence) => {
    const { code, out, err } = await run(...args)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    if (typeof sentence === 'string') expect(err).toBe(sentence)
    else expect(err).toMatch(sentence)
  })

  test.each([
    ['keys', '--help'],
    ['help', 'keys'],
  ])('%s %s lists the commands about keys', async (...args) => {
    const { code, out, err } = await run(...args)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    for (const { name } of commands) expect(out.includes(`\n  ${name} `)).toBe(name.startsWith('keys '))
  })

  test('a command has ended when what it wrote was taken', async () => {
    const taken = Promise.withResolvers<void>()
    let ended = false
    const io = { out: () => {}, err: () => {}, taken: () => taken.promise }
    const code = runCli(['config-schema'], io).finally(() => (ended = true))
    await new Promise((resolve) => setImmediate(resolve))
    await import('../../../src/config/json-schema.ts')
    await new Promise((resolve) => setImmediate(resolve))
    expect(ended).toBe(false)
    taken.resolve()
    expect(await code).toBe(0)
  })

  test('config-schema prints a JSON Schema', async () => {
    const { code, out } = await run('config-schema')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ type: 'object', properties: { server: {}, hosts: {} } })
  })
})
