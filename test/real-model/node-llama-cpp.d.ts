/** The part of node-llama-cpp that the engine uses, for type checks where it is not installed; where it is, its own types are read. */

export type Token = number

export enum LlamaLogLevel {
  error = 'error',
}

export interface LlamaContextSequence {
  readonly tokenMeter: {
    getState(): TokenMeterState
    diff(earlier: TokenMeterState): TokenMeterState
  }
  clearHistory(): Promise<void>
  evaluate(
    tokens: Token[],
    options: { temperature: number; topP: number; seed: number; yieldEogToken: boolean },
  ): AsyncGenerator<Token, void>
}

export interface TokenMeterState {
  usedInputTokens: number
  usedOutputTokens: number
}

export interface LlamaModel {
  tokenize(text: string, specialTokens: boolean): Token[]
  detokenize(tokens: readonly Token[], specialTokens: boolean): string
  isEogToken(token: Token): boolean
  createContext(options: { contextSize: number; sequences: number; threads: number }): Promise<{
    readonly contextSize: number
    getSequence(): LlamaContextSequence
  }>
}

export function getLlama(options: {
  gpu: false
  build: 'never'
  skipDownload: true
  maxThreads: number
  progressLogs: false
  logLevel: LlamaLogLevel
}): Promise<{
  loadModel(options: { modelPath: string }): Promise<LlamaModel>
  dispose(): Promise<void>
}>
