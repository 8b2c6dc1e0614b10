/** Where a request may go: by its model, if its caller may use it, and what refers to a stored answer only to the host that keeps it. */
import { GatewayError } from '../base/errors.ts'
import type { CatalogRoute } from '../hosts/catalog-route.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import { keptReference } from '../wire/kept-reference.ts'
import { leastOutputTokens, mostOutputTokens } from '../wire/output-limit.ts'
import { promptExtent } from '../wire/prompt-characters.ts'
import type { RequestBody } from '../wire/request-body.ts'
import type { Caller } from './caller.ts'
import type { RelayParts } from './relay-parts.ts'
import { RequestRoute } from './request-route.ts'

type RouteParts = Pick<RelayParts, 'catalog' | 'storedResponses'>

export function routeOf(body: RequestBody, endpoint: Endpoint, caller: Caller, parts: RouteParts): RequestRoute {
  const { outputLimits, numCtx, choices } = body
  const { maxOutputTokens } = caller
  const outputAsked = {
    least: leastOf(leastOutputTokens(outputLimits), maxOutputTokens),
    most: leastOf(mostOutputTokens(outputLimits, endpoint.outputLimit), maxOutputTokens),
  }
  // One prompt of several is at least as long as their mean.
  const prompts = endpoint.name === 'completions' ? choices : 1
  const extent = promptExtent(body.bytes, body.noticed)
  const asked = { outputAsked, numCtx, prompts, extent, bodyBytes: body.bytes.length }
  return new RequestRoute(catalogRouteOf(body, endpoint, caller, parts), endpoint, asked)
}

function catalogRouteOf(
  body: RequestBody,
  endpoint: Endpoint,
  caller: Caller,
  { catalog, storedResponses }: RouteParts,
): CatalogRoute {
  // Before anything is looked up, so that the answer tells nothing of what there is.
  if (!caller.mayUse(body.model)) {
    throw new GatewayError('model_not_allowed', `This key may not use the model "${body.model}".`, { param: 'model' })
  }
  const route = catalog.route(body.model, endpoint.name, (name) => caller.mayUse(name))
  if (!endpoint.keepsAnswers) return route
  checkKeptReferences(body.bytes)
  if (body.previousResponseId === null) return route
  const keeper = storedResponses.get(caller, body.previousResponseId)
  if (keeper === undefined || keeper.draining) {
    throw new GatewayError(
      'not_found',
      'previous_response_id names no response that a host of this gateway is known to keep.',
      { param: 'previous_response_id' },
    )
  }
  return route.at(keeper)
}

/**
 * Whose they are is known of stored responses alone: through anything else that a host keeps, a key could read what is
 * another's. What a host goes on with once its answer is out would be nobody's use.
 */
function checkKeptReferences(bytes: Buffer): void {
  switch (keptReference(bytes)) {
    case 'conversation':
      throw new GatewayError(
        'invalid_request',
        'Conversations that a host keeps cannot be gone on with through this gateway; send previous_response_id, or the whole input.',
        { param: 'conversation' },
      )
    case 'input':
      throw new GatewayError(
        'invalid_request',
        'Items that a host keeps cannot be referred to through this gateway; send the items themselves, or previous_response_id.',
        { param: 'input' },
      )
    case 'background':
      throw new GatewayError(
        'invalid_request',
        'Answers cannot be made in the background through this gateway: it could neither hold a slot for them nor count them. Leave "background" out, or stream.',
        { param: 'background' },
      )
    case null:
  }
}

function leastOf(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b)
}
