/** What is said of a request that no host of its model has room for: as the servers say it whose clients read such sentences. */
import { GatewayError } from '../base/errors.ts'
import { type ContextNeed, effectiveTokens } from './context-length.ts'
import type { Candidate } from './route.ts'

/** Of the places the one with the most room is told of. */
export function tooLong(places: readonly Candidate[], need: ContextNeed, endpoint: string): GatewayError {
  let most = 0
  let total = 0
  let output = 0
  for (const { host, model } of places) {
    const place = host.context(model)
    const tokens = effectiveTokens(place, need.ask.numCtx) ?? 0
    if (tokens <= most) continue
    most = tokens
    ;({ total, output } = need.takes(place))
  }
  const { numCtx } = need.ask
  const byNumCtx =
    numCtx === most ? ` The num_ctx of this request makes it so short: leave it out, or ask for more.` : ''
  const told = { most, total, output }
  const said = endpoint === 'messages' ? asAnthropic(told) : asOpenAi(told)
  const how = 'The prompt was measured by its bytes; GET /v1/models tells the context_length of each model.'
  const param = byNumCtx === '' ? params[endpoint] : 'num_ctx'
  return new GatewayError('context_length_exceeded', `${said}${byNumCtx} ${how}`, { param })
}

const params: Readonly<Record<string, string>> = {
  chat_completions: 'messages',
  messages: 'messages',
  completions: 'prompt',
  responses: 'input',
}

interface Told {
  readonly most: number
  readonly total: number
  readonly output: number
}

function asOpenAi({ most, total, output }: Told): string {
  const begin = `This model's maximum context length is ${most} tokens. However, `
  const prompt = total - output
  if (output === 0) return `${begin}your messages resulted in ${prompt} tokens. Please reduce their length.`
  return `${begin}you requested ${total} tokens (${prompt} in the messages, ${output} in the completion). Please reduce the length of the messages or completion.`
}

/** Some clients take the numbers out of these, and ask again for a shorter answer. */
function asAnthropic({ most, total, output }: Told): string {
  const prompt = total - output
  if (output === 0 || prompt >= most) return `prompt is too long: ${prompt} tokens > ${most} maximum.`
  return `input length and \`max_tokens\` exceed context limit: ${prompt} + ${output} > ${most}, decrease input length or \`max_tokens\` and try again.`
}
