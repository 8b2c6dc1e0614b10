/** README against the code: its tables, commands, paths and example. */
import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { configSchema } from '../../src/config/schema.ts'
import { withTables } from '../kit/readme-tables.ts'

const root = new URL('../../', import.meta.url)
const text = (path: string): string => readFileSync(new URL(path, root), 'utf8')
const readme = text('README.md')

it('the tables of options, endpoints, errors, kinds and metrics are those of the code (npm run generate)', () => {
  expect(readme).toBe(withTables(readme))
})

it('a part whose mark is missing is noticed', () => {
  expect(() => withTables(readme.replace('<!-- begin errors -->', ''))).toThrow('"errors"')
})

it('every npm script it names exists', () => {
  const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> }
  const named = [...readme.matchAll(/npm (?:run )?([a-z][a-z:-]*)/g)].map(([, name = '']) => name)
  const own = [...new Set(named)].filter((name) => name !== 'ci')
  expect(own.length).toBeGreaterThan(5)
  expect(own.filter((name) => scripts[name] === undefined)).toEqual([])
})

it('every file and folder it names exists', () => {
  const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)\)/g)].map(([, path = '']) => path)
  const code = [...readme.matchAll(/`((?:src|test|grafana)\/[\w./-]+)`/g)].map(([, path = '']) => path)
  expect(links.length).toBeGreaterThan(3)
  expect([...links, ...code].filter((path) => !existsSync(new URL(path, root)))).toEqual([])
})

it('its examples of a configuration are good ones, all of them', () => {
  const configs = [...readme.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, example = '']) =>
    configSchema.parse(parse(example.replaceAll(/\$\{\w+:-(\w*)\}/g, '$1'))),
  )
  const whole = configs.find(({ hosts }) => hosts.some(({ name }) => name === 'studio'))
  expect(whole?.hosts.map((host) => host.name)).toEqual(['studio', 'mini'])
  expect(Object.keys(whole?.models.aliases ?? {})).toEqual(['fast', 'coder', 'best'])
  expect(configs.some(({ limits }) => limits.timeZone !== 'UTC')).toBe(true)
  expect(configs.some(({ usage }) => Object.keys(usage.prices).length > 0)).toBe(true)
})
