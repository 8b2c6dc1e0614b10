/** What may be limited, for a key, a team or everybody: one table from which options, flags and messages are made. */

export const limitKinds = {
  requestsPerMinute: { flag: 'rpm', counts: 'requests', meaning: 'Requests per minute' },
  tokensPerMinute: { flag: 'tpm', counts: 'tokens', meaning: 'Tokens per minute, prompt and answer together' },
  inputTokensPerMinute: { flag: 'input-tpm', counts: 'tokens', meaning: 'Prompt tokens per minute' },
  outputTokensPerMinute: { flag: 'output-tpm', counts: 'tokens', meaning: 'Generated tokens per minute' },
  concurrentRequests: { flag: 'concurrency', counts: 'requests', meaning: 'Requests that wait or run at once' },
  requestsPerDay: { flag: 'requests-per-day', counts: 'requests', meaning: 'Requests per calendar day' },
  requestsPerMonth: { flag: 'requests-per-month', counts: 'requests', meaning: 'Requests per calendar month' },
  tokensPerDay: { flag: 'tokens-per-day', counts: 'tokens', meaning: 'Tokens per calendar day' },
  tokensPerMonth: { flag: 'tokens-per-month', counts: 'tokens', meaning: 'Tokens per calendar month' },
} as const

export type LimitName = keyof typeof limitKinds

/** Whole numbers from 1 on; what is absent is not limited. */
export type Limits = { readonly [Name in LimitName]?: number | undefined }

export const limitNames = Object.keys(limitKinds).filter((name): name is LimitName => name in limitKinds)

/** One value for each of them. */
export function perLimit<T>(valueOf: (name: LimitName) => T): { readonly [Name in LimitName]: T } {
  return {
    requestsPerMinute: valueOf('requestsPerMinute'),
    tokensPerMinute: valueOf('tokensPerMinute'),
    inputTokensPerMinute: valueOf('inputTokensPerMinute'),
    outputTokensPerMinute: valueOf('outputTokensPerMinute'),
    concurrentRequests: valueOf('concurrentRequests'),
    requestsPerDay: valueOf('requestsPerDay'),
    requestsPerMonth: valueOf('requestsPerMonth'),
    tokensPerDay: valueOf('tokensPerDay'),
    tokensPerMonth: valueOf('tokensPerMonth'),
  }
}
