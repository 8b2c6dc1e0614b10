/** A request of each relayed endpoint that has secrets wherever it can, and how a host fails on it that says them again. */
import type { Endpoint, EndpointName } from '../../../src/wire/endpoints.ts'
import { peerLeaves, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import {
  chunkBytes,
  finalChunk,
  type Headers,
  jsonResponseBytes,
  requestBytes,
  responseBytes,
  sseHeadBytes,
} from '../../kit/http-bytes.ts'
import { answer, prompt, secret } from './canary-words.ts'

/** Short enough to be shown whole: the gateway cuts what a host says. */
const quoted = `${prompt.message} ${prompt.escaped} ${prompt.system} ${secret.hostKey}`
const asked = `${prompt.message} ${prompt.escaped} ${prompt.system}`
const bodies: Readonly<Record<Exclude<EndpointName, 'transcriptions' | 'translations'>, object>> = {
  chat_completions: { messages: [{ role: 'user', content: asked }] },
  completions: { prompt: asked },
  embeddings: { input: [asked] },
  rerank: { query: asked, documents: [asked] },
  responses: { input: asked, instructions: prompt.system },
  messages: { max_tokens: 9, messages: [{ role: 'user', content: [{ type: 'text', text: asked }] }] },
  count_tokens: { messages: [{ role: 'user', content: asked }] },
  speech: { input: asked, voice: 'alloy' },
}

/** JSON is written as Python's `json.dumps` writes it. */
const ascii = (json: string) =>
  json.replaceAll(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)

export function requestOf(endpoint: Endpoint, model: string, key: string, stream: boolean): Buffer {
  const headers: Headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const { name, path } = endpoint
  if (name !== 'transcriptions' && name !== 'translations')
    return requestBytes('POST', path, headers, ascii(JSON.stringify({ model, ...bodies[name], stream })))
  const part = (disposition: string, text: string) =>
    `--b\r\ncontent-disposition: form-data; ${disposition}\r\n\r\n${text}\r\n`
  const form = [
    part('name="model"', model),
    part('name="prompt"', asked),
    part(`name="file"; filename="${prompt.fileName}.wav"`, prompt.audio),
  ]
  return requestBytes(
    'POST',
    path,
    { ...headers, 'content-type': 'multipart/form-data; boundary=b' },
    `${form.join('')}--b--\r\n`,
  )
}

export interface FailingPlay {
  readonly how: string
  readonly script: readonly ScriptStep[]
  readonly stream: boolean
  /** Its own client may read there what it asked itself. */
  readonly own: boolean
}

const play = (how: string, own: boolean, stream: boolean, ...steps: readonly ScriptStep[]): FailingPlay => ({
  how,
  own,
  stream,
  script: [wholeRequest, ...steps],
})

const place = '10.0.0.1:8000 /opt/x.py'
const html = { 'content-type': 'text/html' }

/** As a whole answer. */
const whole: readonly FailingPlay[] = [
  play('500 with a path', false, false, jsonResponseBytes(500, { error: { message: `${place} ${quoted}` } })),
  play('500 detail with a path', false, false, jsonResponseBytes(500, { detail: `${place} ${quoted}` })),
  play('500 page', false, false, responseBytes(500, html, `<html>${quoted}`)),
  play('200 page', false, false, responseBytes(200, html, quoted)),
  play('200 error', false, false, jsonResponseBytes(200, { error: { message: `${place} ${quoted}` } })),
  play('500 plain', true, false, jsonResponseBytes(500, { error: { message: `cannot do ${quoted}`, param: asked } })),
  play('400 plain', true, false, jsonResponseBytes(400, { error: { message: `bad: ${quoted}`, param: asked } })),
  play('422 list', true, false, jsonResponseBytes(422, { detail: [{ loc: ['body', asked], msg: quoted }] })),
]

const frameOf = (said: string) => `data: ${JSON.stringify({ error: { message: said } })}\n\n`
const eventOf = (said: string) =>
  `event: error\ndata: ${JSON.stringify({ type: 'error', error: { message: said } })}\n\n`

/** One piece of content as each dialect writes it. */
const pieces: Readonly<Record<Exclude<Endpoint['dialect'], 'none'>, string>> = {
  chat: `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: prompt.answer }, finish_reason: null }] })}\n\n`,
  completions: `data: ${JSON.stringify({ choices: [{ index: 0, text: prompt.answer, finish_reason: null }] })}\n\n`,
  responses: `event: response.output_text.delta\ndata: ${JSON.stringify({ type: 'response.output_text.delta', delta: prompt.answer })}\n\n`,
  messages: `event: content_block_delta\ndata: ${JSON.stringify({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: prompt.answer } })}\n\n`,
}

function streamed(dialect: Endpoint['dialect']): readonly FailingPlay[] {
  if (dialect === 'none') return []
  const tell = dialect === 'messages' || dialect === 'responses' ? eventOf : frameOf
  const piece = pieces[dialect]
  const frames = (...sent: readonly string[]) => [sseHeadBytes(), chunkBytes(sent.join('')), finalChunk]
  return [
    play('500 with a path', false, true, jsonResponseBytes(500, { error: { message: `${place} ${quoted}` } })),
    play('frame with a path', false, true, ...frames(tell(`${place} ${quoted}`))),
    play('frame with a path behind content', false, true, ...frames(piece, tell(`${place} ${quoted}`))),
    play('plain frame', true, true, ...frames(tell(`cannot do ${quoted}`))),
    play('plain frame behind content', true, true, ...frames(piece, tell(`cannot do ${quoted}`))),
  ]
}

export function failingPlays({ dialect }: Endpoint): readonly FailingPlay[] {
  return [...whole, ...streamed(dialect)]
}

/** What LMX writes into the text of a stream; `stream` is the client's own wish, the host is always asked for one. */
export function inTextPlays({ dialect }: Endpoint): readonly FailingPlay[] {
  if (dialect !== 'chat' && dialect !== 'completions') return []
  const frame = (content: string | null, finishReason: string | null) => {
    const said = dialect === 'chat' ? { delta: { role: 'assistant', content } } : { text: content }
    const choices = [{ index: 0, ...said, finish_reason: finishReason }]
    return `data: ${JSON.stringify({ id: answer.id, object: 'chat.completion.chunk', created: 1, model: 'l', choices })}\n\n`
  }
  const ending = (said: string) =>
    `${frame(`\n\n[Error: Stream inference failed: ${said}]`, null)}${frame(null, 'stop')}data: [DONE]\n\n`
  return [true, false].flatMap((stream) =>
    [true, false].flatMap((behindContent) => {
      const before = behindContent ? frame(prompt.answer, null) : ''
      const how = `in the text${behindContent ? ' behind content' : ''}${stream ? '' : ', put together'}`
      return [true, false].map((own) =>
        play(
          own ? `plain ${how}` : how,
          own,
          stream,
          sseHeadBytes(),
          chunkBytes(before + ending(own ? `cannot do ${quoted}` : `${place} ${quoted}`)),
          peerLeaves,
        ),
      )
    }),
  )
}
