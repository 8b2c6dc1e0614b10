/** Where one request may go: by its model first, and by its length as soon as that is known. */
import type { GatewayError } from '../base/errors.ts'
import type { CatalogRoute } from '../hosts/catalog-route.ts'
import type { ContextAsk } from '../hosts/context-length.ts'
import type { Host } from '../hosts/host.ts'
import type { Candidate, Route } from '../hosts/route.ts'
import type { Endpoint, EndpointName } from '../wire/endpoints.ts'
import type { PromptExtent } from '../wire/prompt-characters.ts'
import type { ExpectedLength } from './caller.ts'

/** What the request itself says of its length. */
export interface AskedLength extends Pick<ContextAsk, 'outputAsked' | 'numCtx'> {
  /** Its body may hold so many prompts, each with a context of its own. */
  readonly prompts: number
  /** What of its body is a prompt: the rest, as metadata, is none of it. */
  readonly extent: PromptExtent
  readonly bodyBytes: number
}

/** Those whose prompt is read as one, with the answer behind it. */
const generating: ReadonlySet<EndpointName> = new Set(['chat_completions', 'completions', 'responses', 'messages'])

export class RequestRoute implements Route {
  readonly model: string
  readonly #ofModel: CatalogRoute
  readonly #asked: AskedLength
  readonly #isGenerated: boolean
  #route: Route

  constructor(route: CatalogRoute, endpoint: Endpoint, asked: AskedLength) {
    this.model = route.model
    this.#ofModel = route
    this.#route = route
    this.#asked = asked
    this.#isGenerated = generating.has(endpoint.name)
  }

  get id(): string {
    return this.#route.id
  }

  get contexts(): string | null {
    return this.#route.contexts ?? null
  }

  /** From now on it leads only where there is room. Throws `context_length_exceeded` where there is none anywhere. */
  estimated({ prompt, output }: ExpectedLength): void {
    if (!this.#isGenerated) return
    const { outputAsked, numCtx, prompts, extent, bodyBytes } = this.#asked
    const { least, most, textBytes, media } = prompt
    const promptBytes = Math.max(0, textBytes - (bodyBytes - extent.bytes))
    const size = {
      least: Math.floor((least * (promptBytes / Math.max(1, textBytes))) / prompts),
      most,
      textBytes: promptBytes,
      characters: () => Math.max(0, textBytes - (bodyBytes - extent.characters())),
      media,
    }
    this.#route = this.#ofModel.fitting({ prompt: size, outputLikely: output, outputAsked, numCtx })
  }

  candidates(excluded?: ReadonlySet<Host>): readonly Candidate[] {
    return this.#route.candidates(excluded)
  }

  gone(excluded?: ReadonlySet<Host>): GatewayError | null {
    return this.#route.gone(excluded)
  }
}
