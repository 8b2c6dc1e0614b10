/** The class of a request: what its client says, capped by what its key allows. */
import type { IncomingHttpHeaders } from 'node:http'
import { GatewayError } from '../base/errors.ts'
import { cappedClass, type RequestClass, requestClasses } from '../base/request-class.ts'

export const priorityHeader = 'x-lmx-gateway-priority'

/** Without the header it is what the key has. Throws GatewayError for what is no class. */
export function classOf(headers: IncomingHttpHeaders, most: RequestClass): RequestClass {
  const said = headers[priorityHeader]
  if (said === undefined) return most
  const known = requestClasses.find((one) => one === said)
  if (known !== undefined) return cappedClass(known, most)
  const message = `${priorityHeader} must be one of ${requestClasses.join(', ')}.`
  throw new GatewayError('invalid_request', message, { param: priorityHeader })
}
