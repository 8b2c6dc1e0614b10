/** The merged catalogue in OpenAI's form. */
import type { Handler } from 'hono'
import type { HostModel } from '../../hosts/kinds/host-kind.ts'
import type { ModelCatalog } from '../../hosts/model-catalog.ts'

export function listModels(catalog: ModelCatalog): Handler {
  return (c) => c.json({ object: 'list', data: catalog.list().map(openAiModel) })
}

/** The id is the rest of the path: ids such as `org/model` have slashes. */
export function retrieveModel(catalog: ModelCatalog): Handler {
  return (c) => c.json(openAiModel(catalog.describe(c.req.param('id') ?? '')))
}

function openAiModel({ id, created, ownedBy }: HostModel): Record<string, string | number> {
  // Clients require both fields; hosts need not have them.
  return { id, object: 'model', created: created ?? 0, owned_by: ownedBy ?? 'local' }
}
