/** How an answer is read through a client library: the whole of it, or the error as the library tells errors. */

import type { GatewayUnderTest } from '../../kit/gateway-under-test.ts'
import type { Spoken } from './answers.ts'

export interface Answered {
  /** Text, or name and arguments of a tool call. */
  readonly text: string
  /** Why the answer ended, in the words of its dialect. */
  readonly finish: string | null | undefined
}

export interface Question {
  readonly gateway: GatewayUnderTest
  readonly model: string
  /** The model is given a tool. */
  readonly tools?: boolean | undefined
}

export interface Reader {
  readonly name: string
  readonly dialect: Spoken
  readonly streamed: boolean
  read(question: Question): Promise<Answered>
}

/** What every reader asks. */
export const content = 'Hello'
export const messages = [{ role: 'user' as const, content }]
export const parameters = { type: 'object' as const, properties: { city: { type: 'string' as const } } }
export const weather = { type: 'function' as const, function: { name: 'get_weather', parameters } }

/** No retries of their own, and no word to the console about frames that they cannot read. */
export const quiet = { apiKey: 'any', maxRetries: 0, logLevel: 'off' as const }

export const callText = (name: string | undefined, input: unknown) => `${name ?? ''}${JSON.stringify(input)}`
