/** What the gateway must know of one sort of inference server; one file beside this one per sort, listed in `kinds.ts`. */
import type { ContextRuleName } from '../context-length.ts'
import type { SaidSignals } from '../signals.ts'

export const hostKindNames = ['lmx', 'openai', 'vllm', 'sglang', 'llama-cpp', 'ollama', 'lm-studio', 'mlx-lm'] as const
export type HostKindName = (typeof hostKindNames)[number]

/** One GET to the host with the host's own credentials; never throws for an HTTP status, only for a failed connection or time-out. */
export type ProbeGet = (path: string) => Promise<ProbeAnswer>

export interface ProbeAnswer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Parsed when the body was JSON of at most `probe.bytesMax` bytes, else undefined. */
  readonly json: unknown
  readonly text: string
}

export interface HostModel {
  readonly id: string
  /** Unix seconds; null where the host does not say. */
  readonly created: number | null
  readonly ownedBy: string | null
  /**
   * False where the host would, or may, have to load it first; true where it is in memory. A kind that does not tell answers
   * false when it loads on demand, since patience costs less than cutting a load short, and true when it never does.
   */
  readonly resident: boolean
  /** Prompt and answer together, as the host has it loaded; undefined where it does not say. */
  readonly contextTokens?: number | undefined
}

/** What one probe of a living host learned. `models: null` means the list failed and the last one stays. */
export interface ProbeResult {
  readonly models: readonly HostModel[] | null
  /** One sentence on why the list failed or was cut, for the log; the host may well take work. */
  readonly listProblem?: string | undefined
  /** The host's own number of parallel requests, where it says so. */
  readonly slots?: number | undefined
  /** Models it says it can hold at once. */
  readonly modelsMax?: number | undefined
  /** False where which models are in memory could not be read this time. */
  readonly toldResidency?: boolean
  /** Requests the host says it works on now, whoever sent them; undefined where it does not say. */
  readonly running?: number | undefined
  /** Why the host, though alive, cannot take work just now (memory pressure, starting). */
  readonly shedding?: string | undefined
}

/** A call to the admin API of a host, which takes its admin key; as `ProbeGet`. */
export type AdminCall = (call: {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: unknown
  /** Loading takes as long as it takes. */
  readonly mayLoad?: boolean
}) => Promise<ProbeAnswer>

/** A model on the disk of a host. */
export interface ModelOnDisk {
  readonly id: string
  /** Of its files; null where the host does not say. */
  readonly bytes: number | null
}

/** Whether a model came into memory, and where not, why: a sentence for the log and the operator. */
export type LoadAnswer =
  | { readonly kind: 'ok' }
  /** The host does not want to: another try soon would meet the same. */
  | { readonly kind: 'refused'; readonly problem: string }
  /** There is no room for it beside what is in memory. */
  | { readonly kind: 'no_room'; readonly problem: string }
  | { readonly kind: 'failed'; readonly problem: string }

/** The admin API by which a kind loads and unloads models. */
export interface ModelAdmin {
  /** Throws, with a sentence, where it cannot be read. */
  onDisk(call: AdminCall): Promise<readonly ModelOnDisk[]>
  /** Bytes that models may still take; null where it does not say. */
  headroom(call: AdminCall): Promise<number | null>
  load(call: AdminCall, model: string): Promise<LoadAnswer>
  /** Requests that it works on now, whoever sent them; null where it does not say. */
  running(call: AdminCall): Promise<number | null>
  /** Null when it is out of memory, else why not. */
  unload(call: AdminCall, model: string): Promise<string | null>
}

/** How a kind keeps models in memory that it does not have there all the time. */
export interface LoadRules {
  /** How many it holds at once, unless it was told another number or says one. */
  readonly modelsMax: number
  /** It holds more where there is memory for them, so that whoever saw more there knows more. */
  readonly growsBySight: boolean
  /** It says which models are in memory. */
  readonly tells: boolean
  /** It says so of one that is still being loaded, too. */
  readonly listsEarly: boolean
}

/** What a kind may go by when it asks for signals. */
export interface SignalsSituation {
  /** A key for the host's admin API is configured, and sent to paths below /admin/. */
  readonly hasAdminKey: boolean
  /** Requests of the gateway run there. */
  readonly isBusy: boolean
}

export interface HostKind {
  readonly name: HostKindName
  /** True where we know this server only from its documentation and never ran our suite against its captures or itself. */
  readonly documentationOnly: boolean
  /** Parallel requests to start with; a configured number and one the host reports win, in this order. */
  readonly slotsDefault: number
  /** As many as are tried where answers stay fast enough; the default where the server works on its requests one by one. */
  readonly slotsMax: number
  /** Such a host loads a model when first asked, so the first-content clock gets `loadMsMax` on top until it is resident. */
  readonly loadsOnDemand: boolean
  /** Absent where all that it lists is in memory. */
  readonly loadRules?: LoadRules
  /** Absent where it has none. */
  readonly modelAdmin?: ModelAdmin
  /**
   * What to do with the host's connection when the client has left: close it, or read the answer on to its end where
   * the server does not survive a peer that goes away.
   */
  readonly onDisconnect: 'cancel' | 'drain'
  /**
   * Which requests the host goes on computing after their connection was closed, so that their slot is not free yet:
   * none, those whose answer is not streamed (`whole`), or all.
   */
  readonly finishesAbandoned: 'never' | 'whole' | 'always'
  /** It tells a failure inside of a stream as its last piece of text (wire/in-band-error.ts). */
  readonly errorsInText?: boolean
  /** How long an idle connection to it is kept, where its own time is known to be longer. */
  readonly keepAliveMs?: number
  /** What it does with a prompt that is longer than its context. */
  readonly overlong: ContextRuleName
  /** Names in `wire/endpoints.ts` that this server never has. */
  readonly lacks: ReadonlySet<string>
  /**
   * Whether the server at the other end is of this kind; asked in the order of `kinds.ts`, the generic kind last. Goes by the
   * shape of answers, since some servers answer 200 to any path.
   */
  recognises(get: ProbeGet): Promise<boolean>
  /**
   * Asks for health and models; must never load, wake or bill a model. Throws, with a sentence that does not name the host,
   * when the host is not alive or refuses the gateway's key.
   */
  probe(get: ProbeGet, situation?: SignalsSituation): Promise<ProbeResult>
  /**
   * Asks what a host that is up says of its load, whoever caused it: hints, which no answer or a bad one only leaves out. The
   * same holds as for a probe: nothing that loads, wakes, or keeps a model awake. Absent where a kind tells nothing beside its probe.
   */
  signals?(get: ProbeGet, situation: SignalsSituation): Promise<SaidSignals>
}
