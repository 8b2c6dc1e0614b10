/**
 * Keys of a fleet as Redis has them, and what changes them: each script is one change, or none. Records are kept as the texts
 * that gateways wrote; what scripts must know of one stands beside it as `<revision> <1 if revoked> <name>`.
 */
import type { KeyRecord } from '../../access/key-record.ts'
import type { AuditEntry } from '../../access/key-store.ts'
import type { MirrorPosition } from '../key-mirror.ts'
import { Script } from './script.ts'

/** In the order of the scripts' KEYS: the fleet's epoch, records and what is known of them by id, ids by name, ids by the version of their last change, the rest, and the trail. */
export const keyNames = [
  'epoch',
  'keys',
  'keys:index',
  'keys:names',
  'keys:changed',
  'keys:meta',
  'keys:trail',
] as const

/** The trail holds the latest of so many changes. */
export const trailLengthMax = 10_000

const prelude = `
local function known(id)
  local entry = redis.call('HGET', KEYS[3], id)
  if not entry then return nil end
  local revision, revoked, name = string.match(entry, '^(%d+) ([01]) (.*)$')
  return { revision = tonumber(revision), revoked = revoked, name = name }
end
local function next_version()
  return redis.call('HINCRBY', KEYS[6], 'version', 1)
end
local function is_taken(id, revoked, name)
  local owner = redis.call('HGET', KEYS[4], name)
  return revoked == '0' and owner and owner ~= id
end
local function put(version, id, revision, revoked, name, text)
  local old = known(id)
  if old and old.revoked == '0' and redis.call('HGET', KEYS[4], old.name) == id then
    redis.call('HDEL', KEYS[4], old.name)
  end
  if revoked == '0' then redis.call('HSET', KEYS[4], name, id) end
  if text then redis.call('HSET', KEYS[2], id, text) end
  redis.call('HSET', KEYS[3], id, revision .. ' ' .. revoked .. ' ' .. name)
  redis.call('ZADD', KEYS[5], version, id)
  redis.call('HSET', KEYS[6], 'count', redis.call('HLEN', KEYS[3]), 'names', redis.call('HLEN', KEYS[4]))
end
-- A Redis that is full and evicts takes one of them away and leaves the others.
local function is_whole()
  local counts = redis.call('HMGET', KEYS[6], 'count', 'names')
  local count = tonumber(counts[1] or '0')
  if redis.call('HLEN', KEYS[4]) ~= tonumber(counts[2] or '0') then return false end
  return redis.call('HLEN', KEYS[2]) == count and redis.call('HLEN', KEYS[3]) == count and redis.call('ZCARD', KEYS[5]) == count
end
local function note(version, entry)
  -- The same once more, in the same millisecond, is an entry of its own: JSON may end in spaces.
  while redis.call('ZSCORE', KEYS[7], entry) do entry = entry .. ' ' end
  redis.call('ZADD', KEYS[7], version, entry)
  redis.call('ZREMRANGEBYRANK', KEYS[7], 0, -${trailLengthMax + 1})
end
local function tell(version)
  redis.call('PUBLISH', KEYS[6], version)
end
if ARGV[1] == 'change' and (redis.call('HEXISTS', KEYS[6], 'generation') == 0 or not is_whole()) then return 'empty' end
`

/** `empty`: nobody has brought the fleet's keys yet. */
export type ChangeOutcome = 'first' | 'done' | 'taken' | 'stale' | 'known' | 'empty'

function outcome(reply: unknown): ChangeOutcome {
  const known = ['first', 'done', 'taken', 'stale', 'known', 'empty'] as const
  const found = known.find((one) => one === reply)
  if (found === undefined) throw new Error('Redis gave an answer that is none of this program.')
  return found
}

/** ARGV `change`, id, revision, revoked, name, record, entry of the trail. */
export const insertKey = new Script(
  'insertKey',
  `${prelude}
if known(ARGV[2]) then return 'known' end
if is_taken(ARGV[2], ARGV[4], ARGV[5]) then return 'taken' end
local is_first = redis.call('HSETNX', KEYS[6], 'ever', '1') == 1
local version = next_version()
put(version, ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
note(version, ARGV[7])
tell(version)
return is_first and 'first' or 'done'
`,
  outcome,
)

/** The same ARGV. */
export const replaceKey = new Script(
  'replaceKey',
  `${prelude}
local old = known(ARGV[2])
if not old or old.revision ~= ARGV[3] - 1 then return 'stale' end
if is_taken(ARGV[2], ARGV[4], ARGV[5]) then return 'taken' end
local version = next_version()
put(version, ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
note(version, ARGV[7])
tell(version)
return 'done'
`,
  outcome,
)

/** ARGV `change`, digest, 1 where there may be none yet, entry of the trail. */
export const setAdminToken = new Script(
  'setAdminToken',
  `${prelude}
if ARGV[3] == '1' and redis.call('HEXISTS', KEYS[6], 'admin') == 1 then return 'known' end
redis.call('HSET', KEYS[6], 'admin', ARGV[2])
redis.call('HINCRBY', KEYS[6], 'adminRevision', 1)
local version = next_version()
note(version, ARGV[4])
tell(version)
return 'done'
`,
  outcome,
)

/** ARGV `change`, entry of the trail. */
export const noteChange = new Script(
  'noteChange',
  `${prelude}
local version = next_version()
note(version, ARGV[2])
tell(version)
return 'done'
`,
  outcome,
)

export function entryOf(text: string): AuditEntry {
  return parsed<AuditEntry>(text)
}

// oxlint-disable-next-line no-unnecessary-type-parameters -- what a gateway wrote there
function parsed<Value>(text: string): Value {
  // oxlint-disable-next-line no-unsafe-type-assertion -- the same
  return JSON.parse(text) as Value
}

export interface FleetKeys {
  /** Null where nobody has brought the fleet's keys yet. */
  readonly generation: string | null
  /** Of the latest change. */
  readonly version: number
  /** Up to which the changes below go. */
  readonly upTo: number
  readonly keysEverCreated: boolean
  readonly adminToken: { readonly digest: string; readonly revision: number } | null
  readonly keys: readonly KeyRecord[]
  readonly audit: readonly AuditEntry[]
}

/** ARGV generation and version of the asker, most changes at once. Where it follows another generation, or a later version than there is, it gets all. */
export const lookAtKeys = new Script(
  'lookAtKeys',
  `${prelude}
local meta = redis.call('HMGET', KEYS[6], 'generation', 'version', 'ever', 'admin', 'adminRevision')
if not is_whole() then return { '', 0, 0, '', '', 0, {}, {} } end
local version = tonumber(meta[2] or '0')
local since = tonumber(ARGV[2])
if meta[1] ~= ARGV[1] or since > version then since = 0 end
local most = tonumber(ARGV[3])
local up_to = version
local ids = {}
local trail = {}
if since < version then
  ids = redis.call('ZRANGEBYSCORE', KEYS[5], '(' .. since, '+inf', 'WITHSCORES', 'LIMIT', 0, most)
  trail = redis.call('ZRANGEBYSCORE', KEYS[7], '(' .. since, '+inf', 'WITHSCORES', 'LIMIT', 0, most)
  if #ids == 2 * most then up_to = math.min(up_to, tonumber(ids[#ids])) end
  if #trail == 2 * most then up_to = math.min(up_to, tonumber(trail[#trail])) end
end
local keys = {}
for at = 1, #ids, 2 do
  if tonumber(ids[at + 1]) <= up_to then
    table.insert(keys, known(ids[at]).revision)
    table.insert(keys, redis.call('HGET', KEYS[2], ids[at]))
  end
end
local entries = {}
for at = 1, #trail, 2 do
  if tonumber(trail[at + 1]) <= up_to then table.insert(entries, trail[at]) end
end
return { meta[1] or '', version, up_to, meta[3] or '', meta[4] or '', tonumber(meta[5] or '0'), keys, entries }
`,
  (reply): FleetKeys => {
    // oxlint-disable-next-line no-unsafe-type-assertion -- the script above answers so
    const [generation, version, upTo, ever, digest, revision, keys, entries] = reply as [
      string,
      number,
      number,
      string,
      string,
      number,
      (string | number)[],
      string[],
    ]
    const records: KeyRecord[] = []
    for (let at = 0; at < keys.length; at += 2) {
      // The number beside it counts where two histories of a key were brought together.
      records.push({ ...parsed<KeyRecord>(String(keys[at + 1])), revision: Number(keys[at]) })
    }
    return {
      generation: generation === '' ? null : generation,
      version,
      upTo,
      keysEverCreated: ever === '1',
      adminToken: digest === '' ? null : { digest, revision },
      keys: records,
      audit: entries.map(entryOf),
    }
  },
)

export interface OfferAnswer {
  /** Ids of which Redis has nothing, or an older state. */
  readonly wanted: readonly string[]
  /** Whether Redis has a later state of one of them. */
  readonly hasNewer: boolean
}

/** ARGV of each key id, revision, revoked. */
export const offerKeys = new Script(
  'offerKeys',
  `${prelude}
local wanted = {}
local has_newer = 0
local whole = is_whole()
for at = 1, #ARGV, 3 do
  local old = whole and known(ARGV[at])
  local revision = tonumber(ARGV[at + 1])
  if not old or old.revision < revision or (old.revoked == '0' and ARGV[at + 2] == '1') then
    table.insert(wanted, ARGV[at])
  elseif old.revision > revision then
    has_newer = 1
  end
end
return { wanted, has_newer }
`,
  (reply): OfferAnswer => {
    // oxlint-disable-next-line no-unsafe-type-assertion -- the script above answers so
    const [wanted, hasNewer] = reply as [string[], number]
    return { wanted, hasNewer: hasNewer === 1 }
  },
)

export interface BringAnswer {
  readonly position: MirrorPosition
  /** Ids of keys whose names other keys have. */
  readonly conflicts: readonly string[]
  /** Of all keys in Redis. */
  readonly count: number
}

/**
 * What a gateway knows, where Redis has less: the later state of a key holds, and a revoked one stays revoked whatever was
 * changed of it elsewhere. ARGV a name for a new generation, 1 where keys were ever created, digest of the admin token and its
 * revision, number of entries of the trail, these, and of each key id, revision, revoked, name, record.
 */
export const bringKeys = new Script(
  'bringKeys',
  `${prelude}
if not is_whole() then
  -- All gateways bring what they know.
  redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5])
  redis.call('HSET', KEYS[6], 'generation', ARGV[1], 'count', 0, 'names', 0)
end
redis.call('HSETNX', KEYS[6], 'generation', ARGV[1])
if ARGV[2] == '1' then redis.call('HSET', KEYS[6], 'ever', '1') end
local token = redis.call('HMGET', KEYS[6], 'admin', 'adminRevision')
if ARGV[3] ~= '' and (not token[1] or tonumber(ARGV[4]) > tonumber(token[2] or '0')) then
  redis.call('HSET', KEYS[6], 'admin', ARGV[3], 'adminRevision', ARGV[4])
  next_version()
end
local entries = tonumber(ARGV[5])
for at = 6, 5 + entries do
  if not redis.call('ZSCORE', KEYS[7], ARGV[at]) then note(next_version(), ARGV[at]) end
end
local conflicts = {}
for at = 6 + entries, #ARGV, 5 do
  local id, revision, revoked, name, text = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local old = known(id)
  local ends = old and old.revoked == '0' and revoked == '1'
  local revives = old and old.revoked == '1' and revoked == '0'
  if revives then
    if revision > old.revision then put(next_version(), id, revision, '1', old.name, nil) end
  elseif not old or revision > old.revision or ends then
    if is_taken(id, revoked, name) then
      table.insert(conflicts, id)
    else
      put(next_version(), id, math.max(revision, old and old.revision or 0), revoked, name, text)
    end
  end
end
local version = tonumber(redis.call('HGET', KEYS[6], 'version') or '0')
tell(version)
return { redis.call('HGET', KEYS[6], 'generation'), version, conflicts, redis.call('HLEN', KEYS[3]) }
`,
  (reply): BringAnswer => {
    // oxlint-disable-next-line no-unsafe-type-assertion -- the script above answers so
    const [generation, version, conflicts, count] = reply as [string, number, string[], number]
    return { position: { generation, version }, conflicts, count }
  },
)
