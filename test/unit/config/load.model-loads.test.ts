/** Leave to load models by an admin API: what it needs, and what is said where that is missing. */
import { expect, test } from 'vitest'
import { good, problems } from './loading.ts'

const yaml = (more: string): string =>
  `# the second line\nhosts: [{ url: "http://a:1", allowModelLoads: true${more} }]\n`
const needsKey = 'needs adminKey of this host; where its admin API is open, set a key there first (security.admin_key)'

test.each([
  ['', needsKey],
  [', adminKey: ""', needsKey],
  [', kind: ollama, adminKey: k', 'has no effect for this kind: it loads what a request names, or nothing'],
])('refused: allowModelLoads%s', async (more, problem) => {
  const [found, ...rest] = await problems({ yaml: yaml(more) })
  expect(found?.replace(/^F:2:\d+ /, '')).toBe(`hosts[0].allowModelLoads: ${problem}`)
  expect(rest).toEqual([])
})

test('taken with a key, which a variable may hold', async () => {
  const { hosts } = await good({ yaml: yaml(', kind: lmx, adminKey: "${KEY}"'), environment: { KEY: 'k' } })
  expect(hosts[0]).toMatchObject({ allowModelLoads: true, adminKey: 'k' })
})
