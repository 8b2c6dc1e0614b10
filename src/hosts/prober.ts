/** Asks every host again and again whether it is alive and what it serves; never in a way that loads, wakes or bills a model. */
import PQueue from 'p-queue'
import type { Clock, Timer } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { parseJson } from '../wire/json-value.ts'
import { askSignals } from './ask-signals.ts'
import type { Host } from './host.ts'
import type { HostKind, ProbeAnswer, ProbeGet } from './kinds/host-kind.ts'
import { addressRefusedCode } from './name-lookup.ts'
import type { ProbeOptions } from './options.ts'
import { handshakeTimeoutCode } from './transport-failure.ts'

export interface ProberParts {
  readonly clock: Clock
  readonly log: Log
  readonly userAgent: string
  /** Finds the kind of a host that has none configured. */
  readonly detect: (get: ProbeGet) => Promise<HostKind>
  /** A host came up, went down, or changed its models or slots. */
  readonly onChange: (host: Host) => void
  /** A host answered a probe. */
  readonly onProbed?: (host: Host) => void
  /** A host told how many requests it is working on; it was asked at `askedAtMs`. */
  readonly onRunning?: (host: Host, running: number, askedAtMs: number) => void
}

/** Probes under way at once, so that many hosts behind one slow link do not pile up. */
const probesAtOnceMax = 8
/** A host that is down is asked again this soon at first, then at doubled distances up to the ordinary one. */
const downAgainMs = 250
/** A host that loads a model is asked this often whether it is there. */
const loadLookMs = 1_000
/** A host that was down and answered well is asked again this soon. */
const confirmMs = 250

export class Prober {
  readonly #hosts: readonly Host[]
  #options: ProbeOptions
  readonly #parts: ProberParts
  readonly #queue = new PQueue({ concurrency: probesAtOnceMax })
  readonly #timers = new Map<Host, Timer>()
  readonly #running = new Map<Host, Promise<void>>()
  readonly #listProblems = new Map<Host, string | null>()
  /** Of which it was told that they do not tell how long prompts may be. */
  readonly #untold = new Set<Host>()
  #stopped = false

  constructor(hosts: readonly Host[], options: ProbeOptions, parts: ProberParts) {
    this.#hosts = hosts
    this.#options = options
    this.#parts = parts
  }

  /** Probes all hosts now and from then on; resolves when each has been probed once. */
  async start(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => this.probe(host)))
  }

  /** Holds from the next probe on. */
  adopt(options: ProbeOptions): void {
    const wasSlower = options.everyMs < this.#options.everyMs
    this.#options = options
    if (wasSlower) for (const host of this.#timers.keys()) this.#schedule(host)
  }

  /** It belongs to the fleet no more: it is asked nothing, and what it still answers counts for nothing. */
  forget(host: Host): void {
    this.#timers.get(host)?.cancel()
    this.#timers.delete(host)
    this.#listProblems.delete(host)
    this.#untold.delete(host)
  }

  /** Probes one host now, or joins the probe that is under way. */
  probe(host: Host): Promise<void> {
    const running = this.#running.get(host)
    if (running !== undefined) return running
    if (host.draining) return Promise.resolve()
    this.#timers.get(host)?.cancel()
    const probe = this.#queue
      .add(() => (host.draining ? undefined : this.#probeOnce(host)))
      // The queue rejects what `stop` cleared from it; a probe itself never does.
      .catch(() => {})
      .finally(() => {
        this.#running.delete(host)
        this.#schedule(host)
      })
    this.#running.set(host, probe)
    return probe
  }

  /**
   * A request could not connect: the host takes no more until probes, made at once, say otherwise. That this machine
   * has no sockets left is no fault of a host.
   */
  connectFailed(host: Host, code: string): void {
    if (!ownFaults.has(code)) {
      const problem = connectionProblem(code)
      if (host.up) this.#parts.log('warn', 'a request could not connect to a host', { host: host.name, problem })
      host.connectFailed(problem)
      this.#parts.onChange(host)
    }
    void this.probe(host)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers.values()) timer.cancel()
    this.#queue.clear()
    await Promise.allSettled(this.#running.values())
  }

  /** Nothing listens where a connection is refused: that needs no second opinion. */
  #fall(error: unknown): number {
    return isRefusal(error) ? 1 : this.#options.fall
  }

  #tell(host: Host, wasUp: boolean): void {
    const { log } = this.#parts
    const { name, up, problem } = host
    if (this.#stopped || host.draining) return
    if (up && !wasUp) log('info', 'host is up', { host: name })
    else if (!up && wasUp) log('warn', 'host is down', { host: name, problem })
    else if (!up && host.goodInARow === this.#options.rise) {
      const message = 'a host answers again, but fell too soon after its last return: it stays down for now'
      log('info', message, { host: name, forSeconds: Math.ceil(host.provenInMs / 1000) })
    }
  }

  /** Once per change, since a probe comes every few seconds. */
  #tellListProblem(host: Host, problem: string | null): void {
    if (problem === (this.#listProblems.get(host) ?? null)) return
    this.#listProblems.set(host, problem)
    if (problem !== null) this.#parts.log('warn', 'the models of a host cannot be listed', { host: host.name, problem })
  }

  /** Once: what would be trimmed there cannot be kept away. */
  #tellUntold(host: Host): void {
    if (this.#untold.has(host) || !host.up || host.kind?.overlong !== 'trims_by_characters') return
    const models = [...(host.models?.values() ?? [])].filter(
      ({ id, resident }) => resident && host.context(id).contextTokens === null,
    )
    if (models.length === 0) return
    this.#untold.add(host)
    const message =
      'a host drops the beginning of prompts that are too long for it, and does not tell how long they may be: set its adminKey, or its contextTokensMax'
    this.#parts.log('info', message, { host: host.name, models: models.length })
  }

  #schedule(host: Host): void {
    if (this.#stopped || host.draining) return
    this.#timers.get(host)?.cancel()
    // ± 20 %, so that hosts and gateways do not probe in step.
    const delayMs = this.#nextProbeMs(host) * (0.8 + 0.4 * Math.random())
    this.#timers.set(
      host,
      this.#parts.clock.after(delayMs, () => void this.probe(host)),
    )
  }

  #nextProbeMs(host: Host): number {
    const { everyMs, rise } = this.#options
    const { failuresInARow, goodInARow } = host
    if (failuresInARow > 0) return Math.min(everyMs, downAgainMs * 2 ** Math.min(failuresInARow, 16))
    if (host.up) return mayTellOfLoad(host) ? Math.min(everyMs, loadLookMs) : everyMs
    return Math.min(everyMs, goodInARow < rise ? confirmMs : Math.max(confirmMs, host.provenInMs))
  }

  #failed(host: Host, error: unknown, askedAtMs: number): void {
    host.probeFailed(messageOf(error), this.#fall(error))
    // Where nothing listens any more, nothing computes.
    if (isRefusal(error)) this.#parts.onRunning?.(host, 0, askedAtMs)
  }

  #ended(host: Host, changed: boolean): void {
    this.#tellUntold(host)
    if (changed) this.#parts.onChange(host)
    if (host.up) this.#parts.onProbed?.(host)
  }

  async #probeOnce(host: Host): Promise<void> {
    const askedAtMs = this.#parts.clock.now()
    const wasUp = host.up
    const wasProbed = host.probed
    const get: ProbeGet = (path) =>
      host.draining
        ? Promise.reject(new ProbeFailure(leftCode, 'it has left'))
        : probeGet(host, path, this.#options, this.#parts)
    const own = host.leases.size
    const elsewhere = host.elsewhere.held
    const situation = { hasAdminKey: host.adminKey !== undefined, isBusy: own > 0 }
    let changed: boolean
    let running: number | undefined
    try {
      host.kind ??= await this.#parts.detect(get)
      const result = await host.kind.probe(get, situation)
      running = result.running
      this.#tellListProblem(host, result.listProblem ?? null)
      changed = host.probeSucceeded(result, this.#options.rise, askedAtMs) || !wasProbed
      if (result.running !== undefined) this.#parts.onRunning?.(host, result.running, askedAtMs)
    } catch (error) {
      if (isSlow(error, host)) return
      this.#failed(host, error, askedAtMs)
      changed = wasUp !== host.up || !wasProbed
    }
    if (wasProbed) this.#tell(host, wasUp)
    this.#ended(host, changed)
    const { clock } = this.#parts
    const { everyMs } = this.#options
    await askSignals(host, get, { ...situation, clock, everyMs, probe: { running, askedAtMs, own, elsewhere } })
  }
}

/** Its first content tells of the end of a load only where the answer is streamed to whoever has not left. */
function mayTellOfLoad({ kind, memory }: Host): boolean {
  const { tells = false, listsEarly = true } = kind?.loadRules ?? {}
  return memory.loadsBy === 'request' && memory.loading !== null && tells && !listsEarly
}

/** A host that computes on the thread that answers is slow, not dead: its requests have clocks of their own. */
function isSlow(error: unknown, host: Host): boolean {
  return error instanceof ProbeFailure && error.code === timedOutCode && host.leases.size > 0
}

function isRefusal(error: unknown): boolean {
  return error instanceof ProbeFailure && error.code === refusedCode
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A GET that got no answer. */
class ProbeFailure extends Error {
  override readonly name = 'ProbeFailure'
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

const timedOutCode = 'PROBE_TIMEOUT'
const leftCode = 'HOST_LEFT'
const refusedCode = 'ECONNREFUSED'

const unknownAuthority = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]

const problems: Readonly<Record<string, string>> = {
  [refusedCode]: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  [addressRefusedCode]: 'its name leads to no address inside admin.hostNetworks',
  ENOTFOUND: 'the name cannot be resolved',
  EAI_AGAIN: 'the name cannot be resolved just now',
  UND_ERR_CONNECT_TIMEOUT: 'no answer to the connection attempt',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: compare the clocks of both machines',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name than that in its url',
  ...Object.fromEntries(
    unknownAuthority.map((code) => [
      code,
      'nobody known here signed its certificate; name that authority as ca of the host',
    ]),
  ),
  [handshakeTimeoutCode]: 'it takes connections, but no TLS handshake',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS on this port; perhaps its url begins with http://',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS on this port; perhaps its url begins with http://',
  UND_ERR_SOCKET: 'the connection was closed without an answer',
}

const ownFaults: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL'])

/** One sentence on a failed connection, by the code of the failure. */
function connectionProblem(code: string): string {
  return problems[code] ?? `the connection failed (${code})`
}

function probeGet(host: Host, path: string, options: ProbeOptions, parts: ProberParts): Promise<ProbeAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    let status = 0
    let headers: ProbeAnswer['headers'] = {}
    let timedOut = false
    const giveUp = (): void => {
      timedOut = true
      trip.abort()
    }
    // After time that was lost the answer may wait in the socket.
    const timer = parts.clock.after(options.timeoutMs, () => void parts.clock.afterTurn(giveUp))
    const headersSent: Record<string, string> = { accept: 'application/json', 'user-agent': parts.userAgent }
    if (host.apiKey !== undefined) headersSent['authorization'] = `Bearer ${host.apiKey}`
    if (host.adminKey !== undefined && path.startsWith('/admin/')) headersSent['x-admin-key'] = host.adminKey
    const request = { method: 'GET', path: host.basePath + path, headers: headersSent, body: null } as const
    const trip = host.transport.send(
      request,
      {
        connected() {},
        head(answerStatus, answerHeaders) {
          status = answerStatus
          headers = answerHeaders
        },
        data(chunk) {
          size += chunk.length
          if (size <= options.bytesMax) chunks.push(chunk)
          else {
            timer.cancel()
            resolve({ status, headers, text: '', json: undefined })
            trip.abort()
          }
        },
        end() {
          timer.cancel()
          const text = Buffer.concat(chunks).toString('utf8')
          resolve({ status, headers, text, json: parseJson(text) })
        },
        failed({ code }) {
          timer.cancel()
          reject(
            timedOut
              ? new ProbeFailure(timedOutCode, `no answer within ${options.timeoutMs} ms`)
              : new ProbeFailure(code, connectionProblem(code)),
          )
        },
      },
      { fresh: false },
    )
  })
}
