/** All stub servers: one for each kind, and the other forms in which some of them come. */

import { llamaCppRouterStub, llamaCppStub } from './llama-cpp.ts'
import { lmStudioSecondApiStub, lmStudioStub } from './lm-studio.ts'
import { lmxStub } from './lmx.ts'
import { mlxLmStub } from './mlx-lm.ts'
import { ollamaStub } from './ollama.ts'
import { openaiStub } from './openai.ts'
import { sglangStub } from './sglang.ts'
import type { StubPlan } from './stub-server.ts'
import { vllmStub } from './vllm.ts'

export const stubs: Readonly<Record<string, StubPlan>> = {
  'Opta LMX': lmxStub,
  'a server with nothing but OpenAI’s API': openaiStub,
  vLLM: vllmStub,
  SGLang: sglangStub,
  'llama-server': llamaCppStub,
  'llama-server as a router': llamaCppRouterStub,
  Ollama: ollamaStub,
  'LM Studio': lmStudioStub,
  'LM Studio with the second form of its API': lmStudioSecondApiStub,
  mlx_lm: mlxLmStub,
}
