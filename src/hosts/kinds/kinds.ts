/** The table of host kinds; adding one is adding a file and a row. */
import type { HostKind, HostKindName, ProbeAnswer, ProbeGet } from './host-kind.ts'
import { llamaCpp } from './llama-cpp.ts'
import { lmStudio } from './lm-studio.ts'
import { lmx } from './lmx.ts'
import { mlxLm } from './mlx-lm.ts'
import { ollama } from './ollama.ts'
import { openai } from './openai.ts'
import { sglang } from './sglang.ts'
import { vllm } from './vllm.ts'

const byName: Readonly<Record<HostKindName, HostKind>> = {
  lmx,
  openai,
  vllm,
  sglang,
  'llama-cpp': llamaCpp,
  ollama,
  'lm-studio': lmStudio,
  'mlx-lm': mlxLm,
}

/** In the order of detection: those with a path of their own, those known by a header or an owner, and last what takes any. */
export const hostKinds: readonly HostKind[] = [lmx, lmStudio, ollama, llamaCpp, vllm, sglang, mlxLm, openai]

export function hostKind(name: HostKindName): HostKind {
  return byName[name]
}

/** The kind of the server at the other end. Throws, with a sentence, when it is not alive or it cannot be told now. */
export async function detectKind(get: ProbeGet): Promise<HostKind> {
  const getOnce = remembered(get)
  for (const kind of hostKinds) {
    if (await kind.recognises(getOnce)) return kind
  }
  const { status } = await getOnce('/v1/models')
  throw new Error(`answers GET /v1/models with ${status}, so its kind cannot be told; set the kind of this host`)
}

/** Several kinds look at the same paths; each is asked for once. */
function remembered(get: ProbeGet): ProbeGet {
  const answers = new Map<string, Promise<ProbeAnswer>>()
  return (path) => {
    const answer = answers.get(path) ?? get(path)
    answers.set(path, answer)
    return answer
  }
}
