/** Where a request may go: by its model, and what refers to a stored answer only to the host that keeps it. */
import { GatewayError } from '../base/errors.ts'
import type { Route } from '../hosts/model-catalog.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import type { RequestBody } from '../wire/request-body.ts'
import type { RelayParts } from './relay-parts.ts'

export function routeOf(body: RequestBody, endpoint: Endpoint, parts: RelayParts): Route {
  const route = parts.catalog.route(body.model, endpoint.name)
  if (!endpoint.keepsAnswers || body.previousResponseId === null) return route
  const keeper = parts.storedResponses.get(body.previousResponseId)
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
