/** Scenes with several hosts in which it must be known which one is asked first. */
import { expect, onTestFinished, vi } from 'vitest'
import type { ScriptStep } from '../../kit/chaos-host.ts'
import { wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { contentFrame, done, finishFrame, type Scene } from './scene.ts'

/** Of hosts that are equally busy the first in the configuration is taken; to be called before the gateway starts. */
export function firstOfEquals(): void {
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.999)
  onTestFinished(() => random.mockRestore())
}

/** A whole stream of a sound host. */
export const story: string = contentFrame('once') + contentFrame(' upon') + finishFrame + done

export const tellsStory: readonly ScriptStep[] = [wholeRequest, sseHeadBytes(), chunkBytes(story), finalChunk]

/** A host's answer with a JSON body, such as a refusal. */
export function says(status: number, body: unknown, headers: Record<string, string> = {}): readonly ScriptStep[] {
  return [wholeRequest, jsonResponseBytes(status, body, headers)]
}

export async function expectNotEjected({ gateway }: Scene): Promise<void> {
  expect(await gateway.sum('host_circuit_open')).toBe(0)
  expect(gateway.log.filter(({ message }) => message.includes('ejected'))).toEqual([])
}
