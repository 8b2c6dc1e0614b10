/** Any server with OpenAI's API of which nothing else is known. */
import { property } from '../../wire/json-value.ts'
import type { HostKind } from './host-kind.ts'
import { openAiList, readModelList } from './model-list.ts'
import { requireKeyTaken } from './probe-checks.ts'

const listPath = '/v1/models'

export const openai: HostKind = {
  name: 'openai',
  documentationOnly: true,
  slotsDefault: 4,
  slotsMax: 8,
  loadsOnDemand: false,
  onDisconnect: 'cancel',
  // Not known; nor would such a host say when it is free again, so that a slot could only be held on a guess.
  finishesAbandoned: 'never',
  overlong: 'refuses_both',
  lacks: new Set<string>(),

  /** Whatever answers, even without a list (some have none): but not on the word of an error that may pass or hide another kind. */
  async recognises(get) {
    const answer = await get(listPath)
    requireKeyTaken(answer, listPath)
    return answer.status < 500
  },

  async probe(get) {
    const answer = await get(listPath)
    if (answer.status === 404 || answer.status === 405) {
      return { models: null, listProblem: `has no GET ${listPath}: name what it serves in the models of this host` }
    }
    return readModelList(
      answer,
      openAiList(
        () => true,
        // Many servers and gateways say it in one of these ways.
        (model) => property(model, 'max_model_len') ?? property(model, 'context_length'),
      ),
    )
  },
}
