/** Runs generations for the routes: into a stream, or collected into a whole answer. */
import type { Call } from './call.ts'
import { clientId, onClientGone } from './call.ts'
import type { FaultPlan } from './faults.ts'
import type { ChunkSink, Outcome } from './generation.ts'
import { Generation } from './generation.ts'
import type { JsonObject, Message } from './prompt.ts'
import { engineChunks, estimatedTokens } from './prompt.ts'
import type { ChunkedBody } from './reply.ts'

export interface AnswerRequest {
  call: Call
  plan: FaultPlan
  model: string
  messages: readonly Message[]
  maxTokens: number | null
  body: JsonObject
  bypass: boolean
}

export const eventStream = 'text/event-stream; charset=utf-8'

export function maxTokensOf(value: unknown): number | null {
  return typeof value === 'number' && value > 0 ? value : null
}

function generation(request: AnswerRequest, sink: ChunkSink): Generation {
  const { call, plan, model, messages, bypass } = request
  const { host, entry } = call
  const counted: ChunkSink = {
    get full() {
      return sink.full
    },
    onWritable: (callback) => sink.onWritable(callback),
    chunk(text) {
      if (entry.firstTokenMs === null) host.journal.firstToken(entry)
      sink.chunk(text)
    },
  }
  host.models.used(model)
  const started = new Generation(host.engine, {
    chunks: engineChunks(request, host.options, plan),
    promptTokens: host.prefixes?.tokensToRead(model, messages) ?? estimatedTokens(messages),
    bypass,
    plan,
    sink: counted,
    begin() {
      if (plan.modelVanishes === true) host.models.unload(model)
      host.journal.changed()
      // Python puts the text of a KeyError into quotes.
      return host.models.has(model) ? null : `"Model '${model}' is not loaded"`
    },
  })
  host.generations.add(started)
  void started.done.then(() => host.generations.delete(started))
  host.journal.changed()
  return started
}

/** The text of a whole answer. A client that leaves changes nothing: LMX keeps generating, and keeps the slot. */
export async function collect(request: AnswerRequest): Promise<{ text: string; outcome: Outcome }> {
  let text = ''
  const sink: ChunkSink = {
    full: false,
    onWritable: () => {},
    chunk(chunk) {
      text += chunk
    },
  }
  const outcome = await generation(request, sink).done
  request.call.host.journal.changed()
  if (outcome.kind !== 'complete' && outcome.kind !== 'busy')
    request.call.host.journal.ended(request.call.entry, 'fault')
  return { text, outcome }
}

interface StreamTarget {
  body: ChunkedBody
  /** The frame of one engine chunk; null while a parser holds the text back. */
  frame: (text: string) => string | readonly string[]
  /** The same frame with raw UTF-8, for the fault that cuts inside a character. */
  rawFrame?: (text: string) => string
}

/** Streams one generation. After `cut` or `cancelled` the connection is gone; all other ends are the route's to tell. */
export async function stream(request: AnswerRequest, target: StreamTarget): Promise<Outcome> {
  const { call, plan } = request
  const { entry, host } = call
  const { body } = target
  body.lingerMs = plan.lingerMs ?? 0
  const running = generation(request, sinkOf(request, target))
  onClientGone(call, () => {
    host.journal.ended(entry, 'client_closed')
    running.cancel()
  })
  if (call.response.destroyed) running.cancel()
  const outcome = await running.done
  if (outcome.kind === 'cut') {
    host.journal.ended(entry, 'fault')
    if (plan.cutAs === undefined) body.cutInside(frames(target.frame('cut ')).join(''), plan.cut ?? 'fin')
    else body.spoil(plan.cutAs)
  } else if (outcome.kind === 'failed' || outcome.kind === 'timed_out' || outcome.kind === 'gone') {
    host.journal.ended(entry, 'fault')
  }
  host.journal.changed()
  return outcome
}

function sinkOf(request: AnswerRequest, target: StreamTarget): ChunkSink {
  const { call, plan } = request
  const { journal, clock } = call.host
  const { body } = target
  let pausing = false
  let resume: (() => void) | undefined
  return {
    get full() {
      return pausing || body.full
    },
    onWritable(callback) {
      if (pausing) resume = callback
      else body.onWritable(callback)
    },
    chunk(text) {
      journal.count(call.entry, { prompt: 0, completion: 1 })
      journal.changed()
      if (plan.splitMultibyteMs === undefined || target.rawFrame === undefined) {
        for (const frame of frames(target.frame(text))) body.frame(frame)
        return
      }
      pausing = true
      const [first, second] = splitInsideCharacter(Buffer.from(target.rawFrame(text)))
      body.begin(first, first.length + second.length)
      clock.after(plan.splitMultibyteMs, () => {
        body.finish(second)
        pausing = false
        resume?.()
      })
    },
  }
}

const frames = (made: string | readonly string[]): readonly string[] => (typeof made === 'string' ? [made] : made)

/** Cuts after the first byte of the first character of several bytes, else in the middle. */
function splitInsideCharacter(bytes: Buffer): [Buffer, Buffer] {
  const start = bytes.findIndex((byte) => byte >= 0xc0)
  const at = start === -1 ? bytes.length >> 1 : start + 1
  return [bytes.subarray(0, at), bytes.subarray(at)]
}

export function unixSeconds(call: Call): number {
  return Math.floor(call.host.clock.wallMs() / 1000)
}

/** Counts a request as LMX's own metrics do; `/v1/responses` never does. */
export function record(
  request: AnswerRequest,
  measured: { startedMs: number; prompt: number; completion: number; stream: boolean; error: boolean },
): void {
  const { call, model } = request
  const { startedMs, prompt, completion, error } = measured
  call.host.metrics.record({
    model,
    seconds: (call.host.clock.now() - startedMs) / 1000,
    promptTokens: prompt,
    completionTokens: completion,
    stream: measured.stream,
    error,
    client: clientId(call),
  })
}
