/** The inference routes without a slot: model list, embeddings, rerank, audio. */

import type { Call } from './call.ts'
import { admitJson, header, keyFits, refusedByFault } from './call.ts'
import { detailError, internalError, modelNotFound, openAiError, unauthorized } from './errors.ts'
import { faultHeader } from './faults.ts'
import { formParts } from './multipart.ts'
import { PyFloat } from './python-json.ts'
import { ChunkedBody, sendBody, sendJson } from './reply.ts'

function modelObject(id: string, loadedAtMs: number, owner = 'local') {
  return { id, object: 'model', created: Math.floor(loadedAtMs / 1000), owned_by: owner }
}

export function listModels(call: Call): void {
  if (!keyFits(call)) return unauthorized(call.context)
  const { host } = call
  const data = host.models.all.map((model) => modelObject(model.id, model.loadedAtMs))
  const embedding = host.options.embeddingModel
  if (typeof embedding === 'string') data.push(modelObject(embedding, host.clock.wallMs(), 'local-embedding'))
  sendJson(call.context, 200, { object: 'list', data })
}

/** Only ids without a slash get here; all others are unknown routes. */
export function oneModel(call: Call): void {
  if (!keyFits(call)) return unauthorized(call.context)
  const id = call.path.slice('/v1/models/'.length)
  const model = call.host.models.all.find((loaded) => loaded.id === id)
  if (model === undefined) return modelNotFound(call.context, id)
  sendJson(call.context, 200, modelObject(id, model.loadedAtMs))
}

const estimate = (texts: readonly string[]) => Math.max(1, Math.floor(texts.join('').length / 4))

export function embeddings(call: Call): void {
  const admitted = admitJson(call, 'embeddings', () => '')
  if (admitted === null) return
  const { input } = admitted.body as { input?: unknown }
  const texts = (Array.isArray(input) ? input : [input]).map(String)
  if (texts.length === 0) {
    const message = 'Input must not be empty'
    return openAiError(call.context, 400, { message, type: 'invalid_request_error', code: 'invalid_input' })
  }
  const model = call.host.options.embeddingModel
  if (model === null) {
    const message = 'Embedding engine not available. Configure helper_nodes.embedding or install mlx-embeddings.'
    return openAiError(call.context, 503, { message, type: 'server_error', code: 'embedding_unavailable' })
  }
  if (admitted.plan.errorAfterTokens !== undefined) {
    call.host.journal.ended(call.entry, 'fault')
    return internalError(call.context)
  }
  const tokens = estimate(texts)
  call.host.journal.count(call.entry, { prompt: tokens, completion: 0 })
  sendJson(call.context, 200, {
    object: 'list',
    data: texts.map((text, index) => ({ object: 'embedding', embedding: vector(text), index })),
    model: model ?? admitted.body['model'],
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  })
}

/** Eight numbers that depend on the text alone. */
function vector(text: string): PyFloat[] {
  let state = 2_166_136_261
  for (let i = 0; i < text.length; i += 1) state = Math.imul(state ^ text.charCodeAt(i), 16_777_619)
  return Array.from({ length: 8 }, () => {
    state = Math.imul(state ^ (state >>> 15), 2_246_822_507)
    return new PyFloat((state >>> 8) / 16_777_216)
  })
}

export function rerank(call: Call): void {
  const admitted = admitJson(call, 'rerank', (body) => String(body['query']))
  if (admitted === null) return
  const { body } = admitted
  if (call.host.options.rerankModel === null) {
    const message =
      'Reranking engine not available. Configure helper_nodes.reranking or set rag.reranker_model in config.yaml.'
    return openAiError(call.context, 503, { message, type: 'server_error', code: 'reranking_unavailable' })
  }
  const query = String(body['query'])
  const documents = (body['documents'] as unknown[]).map(String)
  const wanted = typeof body['top_n'] === 'number' ? body['top_n'] : documents.length
  const results = documents
    .map((text, index) => ({ index, relevance_score: new PyFloat(overlap(query, text)), document: { text } }))
    .toSorted((a, b) => b.relevance_score.value - a.relevance_score.value)
    .slice(0, wanted)
  const tokens = estimate([query, ...documents])
  call.host.journal.count(call.entry, { prompt: tokens, completion: 0 })
  const model = call.host.options.rerankModel ?? body['model']
  sendJson(call.context, 200, { results, model, usage: { total_tokens: tokens } })
}

function overlap(query: string, text: string): number {
  const wanted = new Set(query.toLowerCase().split(/\W+/))
  const words = text.toLowerCase().split(/\W+/)
  return words.filter((word) => wanted.has(word)).length / words.length
}

/** No key is asked for: LMX leaves audio open. */
export function transcriptions(call: Call): void {
  const plan = call.host.faults.take(header(call, faultHeader), '')
  if (refusedByFault(call, plan)) return
  const parts = formParts(call.body, header(call, 'content-type') ?? '') ?? []
  const file = parts.find((part) => part.name === 'file' && part.filename !== null)
  if (file === undefined) {
    const problem = { type: 'missing', loc: ['body', 'file'], msg: 'Field required', input: null }
    return detailError(call.context, 422, [problem])
  }
  const text = `${file.filename} has ${file.data.length} bytes`
  const format = parts.find((part) => part.name === 'response_format')?.data.toString()
  sendJson(call.context, 200, format === 'text' ? text : { text })
}

/** A WAV file in chunks, under whatever type was asked for. */
export function speech(call: Call): void {
  const admitted = admitJson(call, 'speech', (body) => String(body['input']))
  if (admitted === null) return
  const types: Record<string, string> = {
    mp3: 'audio/mpeg',
    opus: 'audio/ogg',
    flac: 'audio/flac',
    aac: 'audio/aac',
    pcm: 'audio/pcm',
  }
  const format = String(admitted.body['response_format'])
  const out = new ChunkedBody(call.context, { type: types[format] ?? 'audio/wav' })
  const sound = silentWav(String(admitted.body['input']).length * 160)
  for (let at = 0; at < sound.length; at += 4_096) {
    const part = sound.subarray(at, at + 4_096)
    out.begin(part, part.length)
    out.finish(Buffer.alloc(0))
  }
  out.end()
}

function silentWav(samples: number): Buffer {
  const head = Buffer.alloc(44)
  head.write('RIFF', 0)
  head.writeUInt32LE(36 + samples * 2, 4)
  head.write('WAVEfmt ', 8)
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(16_000, 24)
  head.writeUInt32LE(32_000, 28)
  head.writeUInt16LE(2, 32)
  head.writeUInt16LE(16, 34)
  head.write('data', 36)
  head.writeUInt32LE(samples * 2, 40)
  return Buffer.concat([head, Buffer.alloc(samples * 2)])
}

export function textAnswer(call: Call, type: string, body: string): void {
  sendBody(call.context, { status: 200, type, body })
}
