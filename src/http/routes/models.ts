/** The merged catalogue in OpenAI's form, as far as whoever asks may use it. */
import type { Handler } from 'hono'
import type { ListedModel, ModelCatalog } from '../../hosts/model-catalog.ts'
import type { CallerEnv } from '../callers.ts'

export function listModels(catalog: ModelCatalog): Handler<CallerEnv> {
  return (c) => {
    const { caller } = c.var
    return c.json({ object: 'list', data: catalog.list((name) => caller.mayUse(name)).map(openAiModel) })
  }
}

/** The id is the rest of the path: ids such as `org/model` have slashes. */
export function retrieveModel(catalog: ModelCatalog): Handler<CallerEnv> {
  return (c) => {
    const { caller } = c.var
    return c.json(openAiModel(catalog.describe(c.req.param('id') ?? '', (name) => caller.mayUse(name))))
  }
}

function openAiModel({ id, created, ownedBy, longestContextTokens }: ListedModel): Record<string, string | number> {
  return {
    id,
    object: 'model',
    // Clients require both fields; hosts need not have them.
    created: created ?? 0,
    owned_by: ownedBy ?? 'local',
    // As OpenRouter and many others spell it, and as vLLM and SGLang do; clients read one or the other.
    ...(longestContextTokens !== null && { context_length: longestContextTokens, max_model_len: longestContextTokens }),
  }
}
