/** What an error of Redis, or of the way to it, means for whoever runs both: one sentence that says what to do. */
import { StartError } from '../../base/start-error.ts'
import { placeOf, type RedisTarget } from './target.ts'

export interface RedisProblem {
  readonly text: string
  /**
   * `server`: no other call will do better until somebody has changed it; `user`: some others may; `call`: it says nothing of
   * the others.
   */
  readonly scope: 'server' | 'user' | 'call'
}

/** Less would do; nothing in it touches what is not the gateway's own. */
const rights = '~lmx-gateway:* &lmx-gateway:* +@all -@dangerous +info'

/** By the first word of the answer, as Redis and Valkey write it. */
const sentences: Readonly<Record<string, string>> = {
  LOADING: 'Redis is still loading its data; it is used as soon as it has',
  READONLY: 'This Redis is a read-only replica; name its primary in storage.redis.url',
  OOM: 'Redis has reached its maxmemory and takes no writes; raise maxmemory, or take away what else is kept there',
  MISCONF: 'Redis takes no writes because it cannot save its data; its own log says why, most often a full disk',
  NOREPLICAS: 'Redis takes no writes because too few of its replicas are there; see min-replicas-to-write',
  MASTERDOWN: 'This Redis is a replica that has lost its primary; name the primary in storage.redis.url',
  NOAUTH: 'Redis wants a password; set storage.redis.password or storage.redis.passwordFile',
  WRONGPASS: 'Redis does not accept this password; check storage.redis.username and password or passwordFile',
  CLUSTERDOWN: 'The Redis cluster does not serve the keys of this fleet now; see CLUSTER INFO',
  BUSY: 'A script of somebody keeps Redis busy; SCRIPT KILL ends it',
  TRYAGAIN: 'The Redis cluster is moving the keys of this fleet to another node; this ends by itself',
  DENIED: 'Redis is in protected mode and lets in nobody from another machine; give it a password (requirepass)',
}

const networkSentences: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there; start Redis, or check storage.redis.url',
  ENOTFOUND: 'this name has no address; check storage.redis.url',
  EAI_AGAIN: 'its name could not be looked up; check the name server',
  ECONNRESET: 'the connection was reset',
  EPROTO: 'it does not speak TLS as wanted; is it redis:// in truth?',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS; is it redis:// in truth?',
  SELF_SIGNED_CERT_IN_CHAIN: 'nobody known has signed its certificate; name the authority in storage.redis.caFile',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'nobody known has signed its certificate; name the authority in storage.redis.caFile',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'nobody known has signed its certificate; name the authority in storage.redis.caFile',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'nobody known has signed its certificate; name the authority in storage.redis.caFile',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name than the one in storage.redis.url',
  CERT_HAS_EXPIRED: 'its certificate has expired',
}

export function problemOf(error: unknown, target: RedisTarget | null): RedisProblem {
  if (error instanceof StartError || error instanceof RedisRefused) return { text: error.message, scope: 'server' }
  const message = error instanceof Error ? error.message : String(error)
  const ofServer = serverSentence(message)
  if (ofServer !== null) return { text: ofServer, scope: 'server' }
  const ofUser = userSentence(message)
  if (ofUser !== null) return { text: ofUser, scope: 'user' }
  const ofNetwork = networkSentence(error, target === null ? 'Redis' : `Redis at ${placeOf(target)}`)
  if (ofNetwork !== null) return { text: ofNetwork, scope: 'server' }
  return { text: withoutSecrets(message, target), scope: 'call' }
}

/** Redis itself has refused it: whatever a script was to do, it has not. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && !('code' in error) && /^[A-Z]+ /.test(error.message)
}

/** The same of a connection that is being opened. */
export function openingProblemOf(error: unknown, target: RedisTarget | null): string {
  const { text } = problemOf(error, target)
  const isCut = text.endsWith(closed) || text.endsWith('(ECONNRESET).')
  return target?.tls === null && isCut ? `${text.slice(0, -1)}; does it want TLS (rediss://)?` : text
}

/** Where the keys of the fleet are instead, by the answer of a cluster; `host` is empty where it is the one that was asked. */
export function movedTo(error: unknown): Pick<RedisTarget, 'host' | 'port'> | null {
  const place = error instanceof Error ? /^MOVED \d+ (\S*):(\d+)$/.exec(error.message) : null
  return place === null ? null : { host: place[1] ?? '', port: Number(place[2]) }
}

const closed = ' has closed the connection.'

function networkSentence(error: unknown, place: string): string | null {
  if (!(error instanceof Error)) return null
  // What the client library says where there is no code.
  if (error.message === 'Socket closed unexpectedly') return `${place}${closed}`
  if (error.message === 'Connection timeout')
    return `${place}: no connection in time; is there a firewall between, or TLS on one side only?`
  if (!('code' in error) || typeof error.code !== 'string') return null
  return `${place}: ${networkSentences[error.code] ?? 'it cannot be reached'} (${error.code}).`
}

/** This server will not do, whatever is asked of it. */
export class RedisRefused extends Error {
  override readonly name = 'RedisRefused'
}

function serverSentence(message: string): string | null {
  const word = /^[A-Z]+(?= |$)/.exec(message)?.[0] ?? ''
  const known = sentences[word]
  if (known !== undefined) return `${known} (${word}).`
  if (word === 'MOVED' || word === 'ASK') {
    const node = message.split(' ')[2] ?? 'another node'
    return `The keys of this fleet are on another node of the cluster, ${node}, which is asked next (${word}).`
  }
  if (/^ERR unknown command .?HELLO/i.test(message)) return 'This is no Redis 7 or Valkey 8, or later: it has no HELLO.'
  if (message.startsWith('ERR max number of clients')) {
    return 'Redis has as many clients as it may have; raise maxclients, or look for who does not close theirs.'
  }
  return null
}

function userSentence(message: string): string | null {
  const what = /^(?:NOPERM|ERR (?=The user executing the script)) ?(.*?)(?: script: \S+, on \S+)?\.?$/.exec(
    message,
  )?.[1]
  return what === undefined
    ? null
    : `The ACL of Redis forbids what the gateway needs (${what}); give its user ${rights}.`
}

/** Some servers answer with what was sent to them. */
function withoutSecrets(message: string, target: RedisTarget | null): string {
  const password = target?.password ?? null
  return password === null ? message : message.replaceAll(password, '***')
}
