/** One row of the table of admin routes: what is served, checked and documented is made from it. */
import { z } from 'zod'
import { checked } from '../../access/checked.ts'
import type { ErrorCode } from '../../base/errors.ts'
import type { Steps } from '../../base/steps.ts'
import { inTurns } from '../../observe/turns.ts'
import type { AdminParts } from './admin-parts.ts'
import type { Role } from './operator.ts'

/** What a route answers when all is well. */
export type AdminAnswer =
  | { readonly json: unknown }
  | { readonly text: string; readonly contentType: string }
  | AdminBytes

/** Text that is large, and encoded already: in pieces, since joining them would be a long turn, too. */
export interface AdminBytes {
  readonly pieces: readonly Buffer[]
  readonly contentType: string
}

/** Of what takes no parameters. */
export const nothing = z.strictObject({})

/** How a change is called in the log, as those of keys are. */
export const adminChange = 'admin change'

/** A large answer that is made in turns. */
export async function largeJson(steps: Steps<readonly Buffer[]>, { clock }: AdminParts): Promise<AdminBytes> {
  return { pieces: await inTurns(steps, clock), contentType: 'application/json' }
}

/** A request whose caller may make it, nothing of it checked. */
export interface AdminRequest {
  /** Of the path; empty where it has none. */
  readonly id: string
  readonly query: unknown
  readonly body: unknown
  /** Which forms of an answer are wanted: the header. */
  readonly accept: string | undefined
  /** For the trail of changes. */
  readonly actor: string
}

interface Described {
  /** As Hono reads it: `/admin/keys/:id`. */
  readonly path: string
  /** Name of the operation in the document. */
  readonly operation: string
  readonly summary: string
  /** What `:id` of the path is; that of a key where absent. */
  readonly idMeans?: string
  /** Of the answer by content type; null for what is no JSON. */
  readonly answers: Readonly<Record<string, z.ZodType | null>>
  /** Beside those that every route has. */
  readonly refusals?: readonly ErrorCode[]
}

export interface AdminRoute extends Described {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly role: Role
  /** Null where whatever is sent means nothing. */
  readonly query: z.ZodType | null
  /** Null where none is taken. */
  readonly body: z.ZodType | null
  /** A request that has none at all counts as one with an empty object. */
  readonly isBodyOptional: boolean
  readonly status: 200 | 201
  run(request: AdminRequest, parts: AdminParts): Promise<AdminAnswer>
}

type Answering = Promise<AdminAnswer> | AdminAnswer

interface Reading<Query extends z.ZodType> extends Described {
  readonly role?: Role
  readonly query: Query
  readonly handle: (
    call: { id: string; query: z.output<Query>; accept: string | undefined },
    parts: AdminParts,
  ) => Answering
}

interface Changing<Body extends z.ZodType> extends Described {
  readonly method: 'POST' | 'PATCH'
  readonly body: Body
  readonly isBodyOptional?: boolean
  readonly status?: 200 | 201
  readonly handle: (call: { id: string; body: z.output<Body>; actor: string }, parts: AdminParts) => Answering
}

interface Removing<Query extends z.ZodType> extends Described {
  readonly query: Query
  readonly handle: (call: { id: string; query: z.output<Query>; actor: string }, parts: AdminParts) => Answering
}

/** The handler gets only what the schema lets through. */
export function reads<Query extends z.ZodType>({ handle, role = 'operator', ...row }: Reading<Query>): AdminRoute {
  return {
    ...row,
    method: 'GET',
    role,
    body: null,
    isBodyOptional: false,
    status: 200,
    run: async ({ id, query, accept }, parts) => handle({ id, query: checked(row.query, query), accept }, parts),
  }
}

export function removes<Query extends z.ZodType>({ handle, ...row }: Removing<Query>): AdminRoute {
  return {
    ...row,
    method: 'DELETE',
    role: 'operator',
    body: null,
    isBodyOptional: false,
    status: 200,
    run: async ({ id, query, actor }, parts) => handle({ id, query: checked(row.query, query), actor }, parts),
  }
}

export function changes<Body extends z.ZodType>(changing: Changing<Body>): AdminRoute {
  const { handle, status = 200, isBodyOptional = false, ...row } = changing
  return {
    ...row,
    isBodyOptional,
    role: 'operator',
    query: nothing,
    status,
    run: async ({ id, query, body, actor }, parts) => {
      checked(nothing, query)
      return handle({ id, body: checked(row.body, body), actor }, parts)
    },
  }
}
