/** What the choice of a host needs to know of a request's prompt. */
import { noPrompt, type Prompt } from '../balancing/prompt.ts'
import type { PromptReader } from '../balancing/prompt-reader.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import type { HeaderFields } from '../wire/headers.ts'
import type { RequestBody } from '../wire/request-body.ts'
import { sessionNames } from '../wire/session-names.ts'
import type { RequestMarks } from './request-marks.ts'

export interface PromptSource {
  readonly headers: HeaderFields
  readonly prompts: PromptReader
  /** Whose request it is. */
  readonly holder: string
  /** What it is to be known by when it comes again. */
  readonly marks?: RequestMarks
}

export function promptOf(
  body: RequestBody | null,
  endpoint: Endpoint,
  { headers, prompts, holder, marks }: PromptSource,
): Prompt {
  // No host keeps anything of what is embedded, ranked, counted or heard; and what was dropped has no prompt any more.
  if (body === null || body.bytes.length === 0 || endpoint.dialect === 'none') return noPrompt
  const { bytes, noticed, previousResponseId } = body
  const names = sessionNames(headers, bytes, noticed)
  // What goes on from a stored response begins with all that came before it.
  const prompt = prompts.read(previousResponseId === null ? body : null, names, holder)
  marks?.read(body, prompt.print)
  return prompt
}
