/** Where a request may go: by its model, if its caller may use it, and what refers to a stored answer only to the host that keeps it. */
import { GatewayError } from '../base/errors.ts'
import type { Route } from '../hosts/model-catalog.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import type { RequestBody } from '../wire/request-body.ts'
import { type Caller, storedResponse } from './caller.ts'
import type { RelayParts } from './relay-parts.ts'

interface RouteParts extends Pick<RelayParts, 'catalog' | 'storedResponses'> {
  readonly caller: Caller
}

export function routeOf(
  body: RequestBody,
  endpoint: Endpoint,
  { catalog, storedResponses, caller }: RouteParts,
): Route {
  // Before anything is looked up, so that the answer tells nothing of what there is.
  if (!caller.mayUse(body.model)) {
    throw new GatewayError('model_not_allowed', `This key may not use the model "${body.model}".`, { param: 'model' })
  }
  const route = catalog.route(body.model, endpoint.name, (name) => caller.mayUse(name))
  if (!endpoint.keepsAnswers || body.previousResponseId === null) return route
  const keeper = storedResponses.get(storedResponse(caller, body.previousResponseId))
  if (keeper === undefined) {
    throw new GatewayError(
      'not_found',
      'previous_response_id names no response that a host of this gateway is known to keep.',
      { param: 'previous_response_id' },
    )
  }
  return {
    model: route.model,
    candidates: (excluded) => route.candidates(excluded).filter(({ host }) => host === keeper),
  }
}
