/** Keys and rows of the ledger to put into stores, and folders that are gone after the test. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KeyRecord } from '../../src/access/key-record.ts'
import type { AuditEntry } from '../../src/access/key-store.ts'
import type {
  AdmittedRequest,
  LedgerRow,
  RequestFigures,
  SettledRequest,
  UsageQuery,
} from '../../src/metering/ledger-store.ts'

/** At a time that no clock of a test is at. */
export const storedAtMs = Date.UTC(2026, 2, 1, 12)

export function keyRecord(name: string, changes: Partial<KeyRecord> = {}): KeyRecord {
  return {
    id: name.padEnd(8, '0').slice(0, 8),
    name,
    team: null,
    models: null,
    class: 'default',
    weight: 1,
    maxOutputTokens: null,
    limits: {},
    tags: {},
    createdAtMs: storedAtMs,
    expiresAtMs: null,
    revokedAtMs: null,
    endsStreams: false,
    secrets: [{ digest: 'ab'.repeat(32), expiresAtMs: null }],
    revision: 1,
    ...changes,
  }
}

export function auditEntry(action: AuditEntry['action'], changes: Partial<AuditEntry> = {}): AuditEntry {
  return { atMs: storedAtMs, actor: 'cli test', action, keyId: null, keyName: null, detail: {}, ...changes }
}

export function admittedRequest(id: string, changes: Partial<AdmittedRequest> = {}): AdmittedRequest {
  return {
    id,
    requestId: 'the client says',
    keyId: 'key00001',
    keyName: 'ci',
    team: null,
    endpoint: 'chat_completions',
    model: 'org/model-a',
    stream: true,
    startedAtMs: storedAtMs,
    ...changes,
  }
}

export function figuresSoFar(output: number, changes: Partial<RequestFigures> = {}): RequestFigures {
  return {
    host: 'studio',
    input: 100,
    cachedInput: 10,
    output,
    reasoning: 0,
    inputSource: 'reported',
    outputSource: 'reported',
    costNanos: null,
    ...changes,
  }
}

export function settledRequest(output: number, changes: Partial<SettledRequest> = {}): SettledRequest {
  return {
    ...figuresSoFar(output),
    endedAtMs: storedAtMs + 2_000,
    durationMs: 2_000,
    queueWaitMs: 5,
    ttftMs: 100,
    attempts: 1,
    status: 200,
    end: '--',
    errorCode: null,
    ...changes,
  }
}

export function settledRow(
  id: string,
  output: number,
  changes: { readonly admitted?: Partial<AdmittedRequest>; readonly settled?: Partial<SettledRequest> } = {},
): LedgerRow {
  return {
    admitted: admittedRequest(id, changes.admitted),
    figures: null,
    settled: settledRequest(output, changes.settled),
  }
}

export function usageQuery(changes: Partial<UsageQuery> = {}): UsageQuery {
  return {
    by: [],
    fromMs: null,
    toMs: null,
    key: null,
    team: null,
    model: null,
    host: null,
    timeZone: 'UTC',
    ...changes,
  }
}

export interface ScratchFolder extends Disposable {
  readonly path: string
  /** Of the keys file in it. */
  readonly storePath: string
  readonly usagePath: string
}

export function scratchFolder(): ScratchFolder {
  const path = mkdtempSync(join(tmpdir(), 'lmx-gateway-store-'))
  return {
    path,
    storePath: join(path, 'gateway.db'),
    usagePath: join(path, 'gateway-usage.db'),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  }
}
