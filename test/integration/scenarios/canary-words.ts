/** What is planted, and the hosts that say it again. */
import { halfClose, peerLeaves, reset, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, responseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { contentFrame, done, finishFrame, model } from './scene.ts'

/** What was said to somebody whom it is kept from. */
export const secret = {
  hostKey: 'canary1hostkey',
  metricsToken: 'canary2metricstoken',
  wrongToken: 'canary3wrongtoken',
  cookie: 'canary4cookie',
  basic: 'canary5basic',
  foreignKey: 'sk-canary6foreign',
  hostHeader: 'canary7hostheader',
  proxy: 'canary8proxy',
  redisPassword: 'canary9redispassword',
} as const

export const prompt = {
  message: 'canary-a-message',
  system: 'canary-b-system',
  toolName: 'canary-c-tool',
  toolArguments: 'canary-d-arguments',
  user: 'canary-e-user',
  metadata: 'canary-f-metadata',
  fileName: 'canary-g-file',
  audio: 'canary-h-audio',
  answer: 'canary-i-answer',
  spokenArguments: 'canary-j-spoken',
  header: 'canary-k-header',
  broken: 'canary-l-broken',
  /** For those who write it with escapes. */
  escaped: 'канарейка-😀-вслух',
} as const

/** A prompt may also be told as a sentence. */
export const chat = {
  messages: [
    { role: 'system', content: prompt.system },
    { role: 'user', content: `${prompt.message} "quoted" {"error":"x"}\n` },
    {
      role: 'assistant',
      tool_calls: [
        {
          id: 'a',
          type: 'function',
          function: { name: prompt.toolName, arguments: `{"x":"${prompt.toolArguments}"}` },
        },
      ],
    },
  ],
  tools: [{ type: 'function', function: { name: prompt.toolName, description: prompt.toolArguments, parameters: {} } }],
  user: prompt.user,
  metadata: { note: prompt.metadata },
}

/** What a host knows: its own key, and what it was asked. */
const everything = [
  secret.hostKey,
  ...Object.values(chat.metadata),
  prompt.user,
  prompt.message,
  prompt.system,
  prompt.toolName,
  prompt.toolArguments,
].join(' ')
/** Headers in which a host says what nobody asked for. */
const hostHeaders = {
  'set-cookie': secret.hostHeader,
  'www-authenticate': `Bearer realm=${secret.hostHeader}`,
  'x-debug': secret.hostHeader,
}
export const answer = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model,
  choices: [
    {
      index: 0,
      message: {
        role: 'assistant',
        content: prompt.answer,
        tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: prompt.spokenArguments } }],
      },
      finish_reason: 'stop',
    },
  ],
  usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
}
const frame = contentFrame(prompt.answer)
const html = { 'content-type': 'text/html', ...hostHeaders }
const sse = sseHeadBytes(hostHeaders)

/** What a host does; `stream` when the client asks for one, `leaves` when it goes away in the middle. */
export const hostPlays: readonly {
  readonly script: readonly ScriptStep[]
  readonly stream?: boolean
  readonly leaves?: boolean
}[] = [
  { script: [wholeRequest, jsonResponseBytes(200, answer, hostHeaders)] },
  { script: [wholeRequest, sse, chunkBytes(frame + finishFrame + done), finalChunk], stream: true },
  { script: [wholeRequest, responseBytes(500, html, `<html>${everything}`)] },
  { script: [wholeRequest, responseBytes(502, html, `Upstream: ${everything}`)], stream: true },
  {
    script: [
      wholeRequest,
      jsonResponseBytes(500, { error: { message: `at /opt/x.py:1 ${everything}`, code: prompt.message } }, hostHeaders),
    ],
  },
  {
    script: [wholeRequest, jsonResponseBytes(401, { error: { message: `wrong key ${secret.hostKey}` } }, hostHeaders)],
  },
  { script: [wholeRequest, jsonResponseBytes(400, { error: { message: `bad: ${secret.hostKey}` } }, hostHeaders)] },
  { script: [wholeRequest, responseBytes(200, { 'content-type': 'application/json' }, `{"choices": ${everything}`)] },
  { script: [wholeRequest, responseBytes(200, html, everything)], stream: true },
  { script: [wholeRequest, jsonResponseBytes(200, { error: { message: `10.0.0.1:8000 ${everything}` } })] },
  {
    script: [
      wholeRequest,
      sse,
      chunkBytes(`data: {"error":{"message":"10.0.0.1:8000 ${everything}"}}\n\n`),
      finalChunk,
    ],
    stream: true,
  },
  {
    script: [
      wholeRequest,
      sse,
      chunkBytes(`${frame}data: {"error":{"message":"10.0.0.1:8000 ${everything}"}}\n\n`),
      finalChunk,
    ],
    stream: true,
  },
  { script: [wholeRequest, sse, chunkBytes(frame + `data: ${everything}\n\n`), reset], stream: true },
  { script: [wholeRequest, sse, chunkBytes(frame), peerLeaves], stream: true, leaves: true },
  { script: [wholeRequest, `HTTP/1.1 ${everything}\r\n\r\n`, halfClose] },
  { script: [wholeRequest, responseBytes(307, { location: `http://${secret.hostHeader}.invalid/` }, '')] },
  { script: [wholeRequest, reset] },
]
