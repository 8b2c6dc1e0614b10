/** Holds answers of the admin API against its own document, as it serves it. */

import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect } from 'vitest'
import type { AdminReply, AdminUnderTest } from './admin-under-test.ts'

type Content = Readonly<Record<string, object>>
type Operation = {
  readonly operationId: string
  readonly responses: Readonly<Record<string, { readonly content: Content }>>
}

export class AdminDocument {
  /** `createKey 201`, for every answer that was held against it. */
  readonly seen = new Set<string>()
  readonly #paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly #schemas = new Ajv2020({
    strict: false,
    allErrors: true,
    formats: { 'date-time': (text: string) => !Number.isNaN(Date.parse(text)) },
  })

  private constructor(document: { paths: AdminDocument['paths'] }) {
    this.#paths = document.paths
    this.#schemas.addSchema(document, 'document')
  }

  static async of(admin: Pick<AdminUnderTest, 'ask'>): Promise<AdminDocument> {
    const { json } = await admin.ask('GET', '/admin/openapi.json')
    return new AdminDocument(json as { paths: AdminDocument['paths'] })
  }

  get paths(): Readonly<Record<string, Readonly<Record<string, Operation>>>> {
    return this.#paths
  }

  /** The answer is one that the document tells of: its status, its type, its content. */
  expectTold(method: string, path: string, reply: AdminReply): void {
    const template = this.#templateOf(path.split('?')[0] ?? '')
    const operation = this.#paths[template]?.[method.toLowerCase()]
    if (operation === undefined) throw new Error(`the document has no ${method} ${path}`)
    const what = `${method} ${path}: ${reply.status} ${reply.text.slice(0, 200)}`
    const told = operation.responses[String(reply.status)]
    if (told === undefined) throw new Error(`the document tells of no such status: ${what}`)
    const type = reply.headers.get('content-type')?.split(';')[0] ?? ''
    expect(Object.keys(told.content), what).toContain(type)
    if (type === 'application/json') {
      const pointer = ['paths', template, method.toLowerCase(), 'responses', reply.status, 'content', type, 'schema']
      const ref = pointer.map((part) => encodeURIComponent(String(part).replaceAll('/', '~1'))).join('/')
      const validate = this.#schemas.compile({ $ref: `document#/${ref}` })
      expect(validate(reply.json) ? [] : validate.errors, what).toEqual([])
    }
    this.seen.add(`${operation.operationId} ${reply.status}`)
  }

  #templateOf(path: string): string {
    const templates = Object.keys(this.#paths).filter((template) =>
      new RegExp(`^${template.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`).test(path),
    )
    return templates.find((template) => template === path) ?? templates[0] ?? path
  }
}
