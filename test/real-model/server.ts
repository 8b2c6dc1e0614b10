/** A small OpenAI-compatible server around a real model in llama.cpp: `node test/real-model/server.ts [--port N] [--slots N] [--model-file FILE]`. */

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { chatServer } from './chat-server.ts'
import { loadEngine } from './engine.ts'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '8080' },
    slots: { type: 'string', default: '4' },
    'model-file': {
      type: 'string',
      default: fileURLToPath(new URL('../fixtures/models/tiny-chat.gguf', import.meta.url)),
    },
  },
})
const modelFile = values['model-file']
const model = basename(modelFile, '.gguf')
const slots = Number(values.slots)
const server = createServer(chatServer(await loadEngine({ modelFile, slots }), model))
server.listen(Number(values.port), '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
process.stdout.write(`${JSON.stringify({ port, model, slots })}\n`)
// A test that dies must not leave its engines behind.
process.once('disconnect', () => process.exit(0))
process.once('SIGTERM', () => process.exit(0))
