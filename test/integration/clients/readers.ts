/** Every client library in every way in which its manual says to read an answer. */

import { aiReaders } from './ai-readers.ts'
import { anthropicReaders } from './anthropic-readers.ts'
import { langchainReaders } from './langchain-readers.ts'
import { openaiReaders } from './openai-readers.ts'
import type { Reader } from './reader.ts'

export const readers: readonly Reader[] = [...openaiReaders, ...anthropicReaders, ...aiReaders, ...langchainReaders]
export const streamReaders: readonly Reader[] = readers.filter(({ streamed }) => streamed)
export const wholeReaders: readonly Reader[] = readers.filter(({ streamed }) => !streamed)
