/** Keys: made, listed, changed, rotated and revoked. */
import { z } from 'zod'
import { graceMsMax, type IssuedKey } from '../../access/key-admin.ts'
import { type KeyView, keyChangeSchema, keyViewSchema, newKeySchema } from '../../access/key-schema.ts'
import { keyState, keyView } from '../../access/key-view.ts'
import { GatewayError } from '../../base/errors.ts'
import type { AdminParts } from './admin-parts.ts'
import { type AdminRoute, changes, nothing, reads } from './admin-route.ts'
import { nameText, published, sent, wholeText } from './documented.ts'

/** What of so many is written takes a few milliseconds, for which nothing else is done. */
const pageMax = 1_000

const keyAnswer = published('Key', keyViewSchema)
const keysAnswer = published(
  'Keys',
  z.strictObject({
    keys: z.array(keyAnswer).describe('In order of creation'),
    next: z.string().nullable().describe('Where there are more: what `after` is then'),
  }),
)
const issuedKey = {
  ...keyViewSchema.shape,
  key: z.string().describe('The key itself, shown this once: only a digest of it is kept'),
}
const issuedAnswer = published('IssuedKey', z.strictObject(issuedKey))

const createdAnswer = published(
  'CreatedKey',
  z.strictObject({
    ...issuedKey,
    isFirst: z.boolean().describe('No key was ever made before: until now clients needed none'),
  }),
)

const newKey = sent('NewKey', newKeySchema)
const keyChange = sent('KeyChange', keyChangeSchema)
const rotation = sent(
  'Rotation',
  z.strictObject({
    graceMs: z
      .int()
      .min(0)
      .max(graceMsMax)
      .optional()
      .describe('How long the key that was good until now holds on; a day unless said'),
  }),
)
const revocation = sent(
  'Revocation',
  z.strictObject({ endStreams: z.boolean().default(false).describe('End what runs under it, too') }),
)

const oneKey = ['not_found'] as const
const oneKeyAsItStands = ['not_found', 'conflict'] as const

export const keyRoutes: readonly AdminRoute[] = [
  reads({
    path: '/admin/keys',
    operation: 'listKeys',
    summary: 'All keys, or those of a name or a state, page by page.',
    query: z.strictObject({
      name: nameText.optional().describe('Those of this name, which several may have that are revoked'),
      state: keyViewSchema.shape.state.optional().describe('Those that are so now'),
      after: nameText.optional().describe('Those behind the key of this id, as `next` says'),
      count: wholeText(pageMax).describe('Most keys of a page, a thousand unless said'),
    }),
    answers: { 'application/json': keysAnswer },
    handle: ({ query: { name, state, after, count = pageMax } }, { allKeys, clock }) => {
      const nowMs = clock.wallMs()
      const keys: KeyView[] = []
      let isBehind = after === undefined
      for (const record of allKeys()) {
        if (isBehind && (name === undefined || record.name === name)) {
          if (state !== undefined && keyState(record, nowMs) !== state) continue
          if (keys.length === count) return { json: { keys, next: keys.at(-1)?.id } }
          keys.push(keyView(record, nowMs))
        }
        isBehind ||= record.id === after
      }
      if (!isBehind) throw new GatewayError('invalid_request', 'after: there is no such key.', { param: 'after' })
      return { json: { keys, next: null } }
    },
  }),
  changes({
    method: 'POST',
    path: '/admin/keys',
    operation: 'createKey',
    summary: 'Makes a key. The first one ends the time in which clients need none.',
    body: newKey,
    status: 201,
    answers: { 'application/json': createdAnswer },
    refusals: ['conflict'],
    handle: async ({ body, actor }, parts) => {
      const { isFirst, ...key } = await (await parts.keyAdmin()).create(body, actor)
      return { json: { ...issued(key, parts), isFirst } }
    },
  }),
  reads({
    path: '/admin/keys/:id',
    operation: 'getKey',
    summary: 'One key.',
    query: nothing,
    answers: { 'application/json': keyAnswer },
    refusals: oneKey,
    handle: async ({ id }, { keyAdmin, clock }) => ({
      json: keyView(await (await keyAdmin()).find(id), clock.wallMs()),
    }),
  }),
  changes({
    method: 'PATCH',
    path: '/admin/keys/:id',
    operation: 'changeKey',
    summary: 'Changes what is named and leaves the rest.',
    body: keyChange,
    answers: { 'application/json': keyAnswer },
    refusals: oneKeyAsItStands,
    handle: async ({ id, body, actor }, { keyAdmin, clock }) => ({
      json: keyView(await (await keyAdmin()).change(id, body, actor), clock.wallMs()),
    }),
  }),
  changes({
    method: 'POST',
    path: '/admin/keys/:id/rotate',
    operation: 'rotateKey',
    summary: 'Makes a new secret for a key; the one before it holds on for the grace time.',
    body: rotation,
    isBodyOptional: true,
    answers: { 'application/json': issuedAnswer },
    refusals: oneKeyAsItStands,
    handle: async ({ id, body: { graceMs }, actor }, parts) => ({
      json: issued(await (await parts.keyAdmin()).rotate(id, actor, graceMs), parts),
    }),
  }),
  changes({
    method: 'POST',
    path: '/admin/keys/:id/revoke',
    operation: 'revokeKey',
    summary: 'Ends a key for good, within a second.',
    body: revocation,
    isBodyOptional: true,
    answers: { 'application/json': keyAnswer },
    refusals: oneKeyAsItStands,
    handle: async ({ id, body: { endStreams }, actor }, { keyAdmin, clock }) => ({
      json: keyView(await (await keyAdmin()).revoke(id, { endStreams }, actor), clock.wallMs()),
    }),
  }),
]

function issued({ record, key }: IssuedKey, { clock }: AdminParts): z.infer<typeof issuedAnswer> {
  return { ...keyView(record, clock.wallMs()), key: key.reveal() }
}
