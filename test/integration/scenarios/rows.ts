/**
 * The catalogue of fault and abuse scenarios: each row with the work that brings its test, and, once that work is done,
 * the file in which a test bears the row's number. U: faults of hosts, C: of clients, G: of the gateway and its machine,
 * S: scale, X: security.
 */

export interface Row {
  readonly work: string
  readonly scenario: string
  /** From the root of the repository. */
  readonly file?: string
  /** What would be needed to see the whole row hold, where that is not there. */
  readonly lacks?: string
}

/** Work that is done, so that each of its rows must have its test. */
export const worksDue: ReadonlySet<string> = new Set([
  'the main job',
  'the relay in every state',
  'shared access',
  'the line',
  'seeing it',
  'choosing the host',
])

/** Rows of each family, numbered from 01. */
export const familySizes: Readonly<Record<string, number>> = { U: 57, C: 40, G: 30, S: 17, X: 43 }

const here = 'test/integration/scenarios'

const rowOf =
  (work: string) =>
  (scenario: string, file?: string, { lacks }: Pick<Row, 'lacks'> = {}): Row => ({
    work,
    scenario,
    ...(file === undefined ? {} : { file }),
    ...(lacks === undefined ? {} : { lacks }),
  })

const mainJob = rowOf('the main job')
const relay = rowOf('the relay in every state')
const sharedAccess = rowOf('shared access')
const theLine = rowOf('the line')
const seeingIt = rowOf('seeing it')
const choosingTheHost = rowOf('choosing the host')
const severalGateways = rowOf('several gateways')
const later = rowOf('pages, events, MCP')

export const rows: Readonly<Record<string, Row>> = {
  U01: mainJob('Connection refused', `${here}/upstream-connections.test.ts`),
  U02: relay('SYN lost (host asleep)', `${here}/upstream-unreachable.test.ts`),
  U03: relay('DNS: NXDOMAIN, 5 s delay, address changes, AAAA only', `${here}/upstream-unreachable.test.ts`),
  U04: relay('RST after request read, no byte back, fresh connection', `${here}/failover-disconnects.test.ts`),
  U05: relay('FIN with no byte', `${here}/failover-disconnects.test.ts`),
  U06: mainJob('Keep-alive race: idle pooled socket closes as we write', `${here}/upstream-connections.test.ts`),
  U07: relay('RST after headers, before content', `${here}/failover-disconnects.test.ts`),
  U08: relay('RST mid-content', `${here}/failover-disconnects.test.ts`),
  U09: relay('Clean end, no finish_reason, no [DONE]', `${here}/failover-disconnects.test.ts`),
  U10: mainJob('finish_reason but no [DONE]', `${here}/upstream-answers.test.ts`),
  U11: relay('Socket kept open, or junk, after [DONE]', `${here}/upstream-silence.test.ts`),
  U12: relay('No headers (stall)', `${here}/upstream-silence.test.ts`),
  U13: relay('Headers + role frame, then nothing (LMX shape)', `${here}/upstream-silence.test.ts`),
  U14: relay('Only : comments for ever', `${here}/upstream-silence.test.ts`),
  U15: relay('Stall mid-content 60 s', `${here}/upstream-silence.test.ts`),
  U16: relay('One frame dripped 1 byte/s', `${here}/upstream-silence.test.ts`),
  U17: relay('Garbage instead of HTTP', `${here}/upstream-garbage.test.ts`),
  U18: relay('Bare LF headers, folded header, header > 16 KiB, 3,000 headers', `${here}/upstream-garbage.test.ts`),
  U19: mainJob('More bytes than Content-Length', `${here}/upstream-answers.test.ts`),
  U20: mainJob('Fewer bytes than Content-Length', `${here}/upstream-answers.test.ts`),
  U21: mainJob(
    'Content-Length twice, differing, negative, +5, with Transfer-Encoding',
    `${here}/upstream-framing.test.ts`,
  ),
  U22: mainJob('100, 102, 103 before 200; 103 then death; 101 unasked', `${here}/upstream-framing.test.ts`, {
    lacks: 'a 100 that nobody asked for ends the answer: undici refuses it (502) and offers no way to swallow it',
  }),
  U23: mainJob('Trailers', `${here}/upstream-answers.test.ts`, {
    lacks:
      'a content-length after an answer that is not streamed is refused (502): the parser of undici takes it for framing',
  }),
  U24: mainJob('3xx to another host', `${here}/upstream-headers.test.ts`),
  U25: mainJob('Set-Cookie, CORS, Server, Connection: x in the answer', `${here}/upstream-headers.test.ts`),
  U26: relay('One frame of invalid JSON', `${here}/upstream-events.test.ts`),
  U27: mainJob('SSE frames split across TCP segments at every byte', 'test/integration/stream-bytes.test.ts'),
  U28: mainJob('Multi-byte UTF-8 split', 'test/integration/stream-bytes.test.ts'),
  U29: mainJob(
    'CRLF, CR, LF, BOM, no space after colon, multi-line data:, event:, id:, retry:, many frames per segment',
    'test/integration/stream-bytes.test.ts',
  ),
  U30: relay('64 MiB single frame', `${here}/upstream-garbage.test.ts`),
  U31: relay('Endless body without newline', `${here}/upstream-garbage.test.ts`),
  U32: relay(
    'Error frame mid-stream, three shapes ({"error":…}, vLLM {"object":"error"}, event: error)',
    `${here}/upstream-events.test.ts`,
  ),
  U33: relay('LMX error-as-content', `${here}/lmx-errors-in-text.test.ts`),
  U34: relay('200 with {"error":…} as JSON', `${here}/upstream-garbage.test.ts`),
  U35: relay('HTML error page, any status', `${here}/upstream-garbage.test.ts`, {
    lacks: 'a page under status 200 is not read, so that nothing of it is in the log',
  }),
  U36: relay('Stream asked, JSON answered; JSON asked, SSE answered', 'test/integration/clients/json-for-sse.test.ts'),
  U37: relay('429 + Retry-After (LMX: 5 s)', `${here}/failover-refusals.test.ts`),
  U38: relay(
    '503 while loading (/readyz 503), 503 memory pressure + Retry-After: 30 (LMX load shedding)',
    `${here}/failover-refusals.test.ts`,
  ),
  U39: relay('404 for a model the list still shows', `${here}/failover-refusals.test.ts`),
  U40: relay('507 insufficient memory (LMX)', `${here}/failover-refusals.test.ts`),
  U41: mainJob('401/403 from the host', `${here}/upstream-headers.test.ts`),
  U42: relay('Usage on every frame, duplicate usage frames', `${here}/upstream-usage.test.ts`),
  U43: relay('Usage frame with choices: []; usage: null frames; none at all', `${here}/upstream-usage.test.ts`),
  U44: relay('Usage negative, 1e308, string, NaN', `${here}/upstream-usage.test.ts`),
  U45: relay('Model unloaded or host restarted mid-stream', `${here}/upstream-dying.test.ts`),
  U46: choosingTheHost('Route chosen, model unloaded before dispatch', `${here}/model-unloaded.test.ts`),
  U47: relay('Half-open: power loss, no FIN', `${here}/upstream-dying.test.ts`),
  U48: relay('Host frozen', `${here}/upstream-dying.test.ts`),
  U49: sharedAccess(
    'TLS: expired, wrong name, self-signed, handshake stall, plain port',
    `${here}/upstream-tls.test.ts`,
  ),
  U50: mainJob(
    'Compressed answer although identity was asked; five layers of gzip',
    `${here}/upstream-headers.test.ts`,
  ),
  U51: relay('Host reads the request body slowly', `${here}/upstream-uploads.test.ts`),
  U52: relay('Final answer before the upload ends', `${here}/upstream-uploads.test.ts`),
  U53: relay('Zombie: host goes on generating after cancel', `${here}/failover-abandoned.test.ts`),
  U54: relay('Host dies on cancel', `${here}/failover-abandoned.test.ts`),
  U55: choosingTheHost('Poison prompt kills every host it meets', `${here}/lethal-prompt.test.ts`),
  U56: relay('Health green, generation fails', `${here}/host-health.test.ts`),
  U57: relay('Flapping every 3 s', `${here}/host-health.test.ts`),
  C01: relay('Leaves while queued', `${here}/client-leaves.test.ts`),
  C02: relay('Leaves before first token', `${here}/client-leaves.test.ts`),
  C03: relay('Leaves mid-stream', `${here}/client-leaves.test.ts`),
  C04: relay('Leaves a non-stream call', `${here}/client-leaves.test.ts`),
  C05: relay('Leaves at the very end', `${here}/client-leaves.test.ts`),
  C06: relay('Half-close after sending (nc -N)', `${here}/client-leaves-half.test.ts`),
  C07: relay('Reads 1 KiB/s', `${here}/client-slow.test.ts`),
  C08: relay('Never reads', `${here}/client-slow.test.ts`),
  C09: relay('Slowloris headers', `${here}/client-slow.test.ts`, {
    lacks: 'a line in the access log: headers that never come whole are no request',
  }),
  C10: sharedAccess('Slow body', `${here}/quota-uploads.test.ts`),
  C11: relay('Slow-read attack', 'test/outside/slowhttptest.test.ts'),
  C12: relay('10,000 idle connections', `${here}/client-http-connections.test.ts`),
  C13: mainJob('Body over limit, declared', `${here}/request-body.test.ts`),
  C14: mainJob('Body over limit, chunked', `${here}/request-body.test.ts`),
  C15: relay('Content-Length too small / too large', `${here}/client-http-framing.test.ts`),
  C16: relay('gzip, br, zstd request; zip bomb', `${here}/client-body-json.test.ts`),
  C17: relay('100,000 nested arrays; 1 M-element messages', `${here}/client-body-json.test.ts`),
  C18: relay('1e999999999, 100 k digits, duplicate keys (model twice), __proto__', `${here}/client-body-json.test.ts`),
  C19: relay('Invalid UTF-8, lone surrogates, BOM, NUL in strings', `${here}/client-body-json.test.ts`),
  C20: mainJob('text/plain JSON (no preflight), no content type', `${here}/request-body.test.ts`),
  C21: relay('Two Host, two Authorization, two Content-Length', `${here}/client-http-framing.test.ts`),
  C22: relay(
    'Smuggling: CL.TE, TE.CL, TE.TE, CL.0, chunk 0x, _, +, -, bare LF, space before colon, chunk extensions',
    `${here}/client-http-framing.test.ts`,
  ),
  C23: relay('200 pipelined requests', `${here}/client-http-order.test.ts`, {
    lacks: 'a client that sent so much ahead that it is not read from any more is missed only at the next write to it',
  }),
  C24: relay('HTTP/1.0, no Host, keep-alive, TE', `${here}/client-http-framing.test.ts`),
  C25: relay('Expect: 100-continue; unknown expectation', `${here}/client-http-order.test.ts`),
  C26: mainJob('HEAD, OPTIONS *, TRACE, CONNECT, FOO', `${here}/request-line.test.ts`),
  C27: relay('Preflight from foreign origin', `${here}/client-http-target.test.ts`),
  C28: relay('Absolute-form target POST http://other.test/v1/…', `${here}/client-http-target.test.ts`),
  C29: relay('%2e%2e, //admin, /v1/..;/admin, %2F, %00, \\, %c0%ae, case', `${here}/client-http-target.test.ts`),
  C30: relay(
    'Odd Host, X-Forwarded-Host, X-Original-URL, X-HTTP-Method-Override',
    `${here}/client-http-target.test.ts`,
  ),
  C31: relay(
    'NUL/CR/LF in values; header named __proto__; 2,001 headers; 17 KiB line',
    `${here}/client-http-headers.test.ts`,
  ),
  C32: later('WebSocket: bad key, wrong version, unmasked, 16 MiB frame, endless fragments, ping flood, deflate bomb'),
  C33: relay('Upgrade: x with a second request behind it', `${here}/client-http-order.test.ts`),
  C34: relay('SDK retry storm', 'test/integration/clients/retries.test.ts', {
    lacks: 'obedience of `ai` and LangChain: they do not read x-should-retry and make 3 and 7 calls of a 504',
  }),
  C35: mainJob('GET/DELETE with huge body', `${here}/request-body.test.ts`),
  C36: relay('n: 1e9, max_tokens: -1, stream: "yes", 10 MiB tool schema', `${here}/client-body-json.test.ts`),
  C37: mainJob('X-Request-Id of 10 KiB, with LF or ANSI', `${here}/request-line.test.ts`),
  C38: relay('Request trailers, TE: trailers', `${here}/client-http-framing.test.ts`),
  C39: sharedAccess('Leaves mid-upload', `${here}/quota-uploads.test.ts`),
  C40: theLine(
    'Same prompt posted twice by a client retry while the first still runs',
    `${here}/same-prompt-twice.test.ts`,
    { lacks: 'one run for both where they bear the same idempotency key: that header is not looked at' },
  ),
  G01: relay('SIGTERM with open streams', 'test/e2e/gateway-shutdown.test.ts'),
  G02: relay('Drain time runs out', 'test/e2e/gateway-shutdown.test.ts'),
  G03: relay('Second SIGTERM or SIGINT', 'test/e2e/gateway-shutdown.test.ts'),
  G04: relay('SIGTERM with queued requests', 'test/e2e/gateway-shutdown.test.ts'),
  G05: sharedAccess('SIGKILL mid-stream, usage unflushed', 'test/e2e/ledger-gateway-kill.test.ts'),
  G06: sharedAccess('SIGKILL during a store write', 'test/e2e/ledger-kill.test.ts'),
  G07: sharedAccess('Flush fails or is cancelled after rows left the queue', 'test/unit/metering/ledger.test.ts'),
  G08: choosingTheHost(
    'Reload with broken file, half-written file, file replaced by rename or symlink',
    `${here}/reload-files.test.ts`,
  ),
  G09: choosingTheHost('Reload removes a host, a key, a model', `${here}/reload-removes.test.ts`),
  G10: mainJob('Unknown key, wrong type, port 0, negative limit at start', 'test/e2e/cli.test.ts'),
  G11: mainJob('Port in use, address missing', 'test/e2e/cli.test.ts'),
  G12: sharedAccess('Disk full on the store', 'test/e2e/ledger-disk.test.ts'),
  G13: sharedAccess('Store read-only (at start, later)', 'test/e2e/ledger-disk.test.ts'),
  G14: sharedAccess('Store corrupt', 'test/contract/store-damage.test.ts', {
    lacks: 'a checksum of each row of the ledger: a byte that goes bad within a count of tokens is not noticed',
  }),
  G15: sharedAccess('Store locked by a second gateway', 'test/contract/store-gateways.test.ts'),
  G16: sharedAccess('Wall clock ± 1 h, DST, leap second', 'test/unit/access/quota.test.ts'),
  G17: relay('Sleep and resume', 'test/e2e/gateway-lost-time.test.ts'),
  G18: relay('Event loop blocked 5 s', 'test/e2e/gateway-lost-time.test.ts'),
  G19: relay('File descriptors exhausted', 'test/e2e/gateway-resources.test.ts'),
  G20: relay('Heap pressure', 'test/e2e/gateway-overload.test.ts'),
  G21: relay('Exception in handler, stream callback, timer; unhandled rejection', `${here}/gateway-faults.test.ts`),
  G22: severalGateways(
    'Redis/Valkey absent at start, dies, frozen, slow, OOM, READONLY, wrong password',
    `${here}/redis-faults.test.ts`,
  ),
  G23: severalGateways('Two replicas race for one limit', `${here}/limits-race.test.ts`),
  G24: sharedAccess('Crash between reserve and settle', `${here}/quota-meter.test.ts`),
  G25: relay('stdout/stderr pipe full', 'test/e2e/gateway-resources.test.ts'),
  G26: seeingIt('/metrics scraped slowly, 20 at once, 10,000 series', `${here}/metrics-scraped.test.ts`),
  G27: later('Event subscriber (WebSocket, dashboard SSE) slow or dead'),
  G28: relay('Timers at scale: 10,000 deadlines cancelled', `${here}/gateway-shared-parts.test.ts`),
  G29: relay(
    'p-queue misuse: its timeout starts at dequeue, clear() leaves promises pending for ever',
    `${here}/gateway-shared-parts.test.ts`,
  ),
  G30: relay('One AbortSignal shared by many requests', `${here}/gateway-shared-parts.test.ts`),
  S01: theLine('10,000 queued', 'test/e2e/gateway-long-line.test.ts'),
  S02: relay('5,000 open streams × 2 frames/s', `${here}/answers-apart.test.ts`),
  S03: relay('Herd on recovery: host returns, 1,000 wait', `${here}/host-health.test.ts`),
  S04: relay('5,000 clients reconnect after restart', `${here}/gateway-herd.test.ts`),
  S05: theLine('One tenant floods (1,000 concurrent)', `${here}/tenant-flood.test.ts`),
  S06: theLine('Long prompt before short ones', `${here}/long-prompt.test.ts`),
  S07: theLine('Client asks for priority (X-Priority: high)', `${here}/asked-priority.test.ts`),
  S08: sharedAccess('Token limit, 100 parallel calls at 100 TPM', `${here}/quota-meter.test.ts`),
  S09: sharedAccess('Steady 95 % of a limit, 10 min', 'test/unit/access/limiter-flood.test.ts'),
  S10: relay('All hosts fail 60 s at 50 req/s', `${here}/failover-budget.test.ts`),
  S11: relay(
    'Soak 60 min (nightly), 10 min (per merge): 200 streams, 10 % leave, 5 % upstream faults',
    'test/soak/soak.test.ts',
  ),
  S12: seeingIt('100,000 invented model names', `${here}/invented-models.test.ts`),
  S13: relay('Error flood', `${here}/gateway-herd.test.ts`),
  S14: sharedAccess('100,000 API keys', 'test/unit/access/key-ring-size.test.ts'),
  S15: choosingTheHost('64 hosts × 500 models', 'test/unit/hosts/serving-index.test.ts'),
  S16: seeingIt('Overhead against direct', 'test/e2e/gateway-overhead.test.ts'),
  S17: relay('Connection churn 500/s, 5 min', `${here}/gateway-herd.test.ts`),
  X01: sharedAccess('Missing, malformed, unknown, revoked, expired key', 'test/unit/access/key-ring.test.ts'),
  X02: sharedAccess('Injection in key, model, label, filter', 'test/contract/store-injection.test.ts'),
  X03: sharedAccess('Timing of key compare', 'test/unit/access/key-ring-timing.test.ts'),
  X04: sharedAccess('Guessing keys', 'test/unit/access/key-guesses.test.ts'),
  X05: sharedAccess('Key in URL', `${here}/shared-access-url-keys.test.ts`),
  X06: sharedAccess(
    'Same key by Authorization, x-api-key, api-key, WS subprotocol; scheme other than Bearer',
    'test/unit/access/key-ring.test.ts',
  ),
  X07: sharedAccess('Two carriers, two different keys', 'test/unit/access/credentials.test.ts'),
  X08: mainJob('Client Authorization/Cookie to the host; host token to the client', `${here}/side-doors.test.ts`),
  X09: sharedAccess('Secrets in any sink incl. audit rows, crash dump, debug level', `${here}/canary.test.ts`, {
    lacks: 'a core dump: it is the memory of the process, where keys that are being checked stand',
  }),
  X10: choosingTheHost(
    'SSRF by header, body (api_base, base_url, proxy, extra_headers), query, admin form',
    `${here}/chosen-destinations.test.ts`,
  ),
  X11: mainJob(
    'Side doors of the host: copilot/…, gemini-cli/…, preset:…, X-Client-Id, X-Serving-Lane, X-OpenClaw-Agent-Id',
    `${here}/side-doors.test.ts`,
  ),
  X12: mainJob(
    'Path pass-through: LMX /admin/* (no key by default), /v1/agents/runs, sessions, skills, WebSocket',
    `${here}/side-doors.test.ts`,
  ),
  X13: sharedAccess('Mass assignment when creating a key', 'test/integration/admin-refusals.test.ts'),
  X14: sharedAccess('Non-admin key on each admin route', 'test/integration/admin-tokens.test.ts'),
  X15: sharedAccess('No or default admin secret', 'test/integration/admin-tokens.test.ts'),
  X16: sharedAccess("Other tenant's usage, job, request, WS topic", `${here}/tenants-apart.test.ts`, {
    lacks: 'jobs and topics: there are none yet, and no route by which a key asks for usage',
  }),
  X17: later('Stored XSS by model name, key label, prompt, User-Agent, upstream error'),
  X18: later('CSRF and framing of dashboard/admin'),
  X19: later('Cross-site WebSocket hijack'),
  X20: later('Scopes declared by the WS client'),
  X21: later('DNS rebinding on dashboard, admin, MCP'),
  X22: later('CORS', `${here}/cors.test.ts`),
  X23: later('MCP: session of another key, batch, wrong audience, tool reaching admin, huge input'),
  X24: sharedAccess('Label injection ", \\, LF in names', `${here}/shared-access-injection.test.ts`),
  X25: sharedAccess('Log injection CR, LF, ANSI, U+2028, 1 MiB value', `${here}/shared-access-injection.test.ts`),
  X26: relay('Prototype pollution by body, query, headers, config merge', `${here}/client-http-headers.test.ts`),
  X27: relay('Slow regular expressions', `${here}/client-body-cost.test.ts`),
  X28: choosingTheHost('Prefix-cache timing between tenants', `${here}/prefix-tenants.test.ts`),
  X29: relay('Response splitting from host header values', `${here}/client-http-headers.test.ts`),
  X30: relay('Answers mixed between tenants', `${here}/answers-apart.test.ts`),
  X31: relay('Error disclosure: addresses, paths, stacks, versions', `${here}/client-http-errors.test.ts`),
  X32: sharedAccess('TLS listener, if enabled', `${here}/tls-clients.test.ts`),
  X33: mainJob('Connection: authorization, x-request-id names our own headers', `${here}/side-doors.test.ts`),
  X34: sharedAccess('Forged X-Forwarded-For, odd IPv6 spellings', 'test/unit/http/client-address.test.ts'),
  X35: sharedAccess('Files: keys, store, sockets', 'test/contract/store-gateways.test.ts'),
  X36: sharedAccess('Prompts at rest', `${here}/canary.test.ts`),
  X37: sharedAccess(
    'Meter evasion: client omits include_usage, leaves before the usage frame, uses n, best_of, echo',
    `${here}/quota-meter.test.ts`,
  ),
  X38: relay('Amplification', `${here}/client-body-cost.test.ts`),
  X39: mainJob('Admin on the data port', `${here}/side-doors.test.ts`),
  X40: sharedAccess('Discovery (/.well-known, mDNS) and /metrics without key', `${here}/discovery.test.ts`),
  X41: later('Ticket for WebSocket used twice, late, by another address'),
  X42: later('Upstream answer with hostile Markdown, links or HTML in the playground'),
  X43: sharedAccess('Audit trail of admin actions', 'test/integration/admin-api.test.ts'),
}
