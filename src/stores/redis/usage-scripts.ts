/** The stream of rows of the ledger that gateways of a fleet give each other. */
import { Script } from './script.ts'

/** In the order of the scripts' KEYS: the fleet's epoch, the stream, and what is known of it. */
export const usageKeyNames = ['epoch', 'usage', 'usage:stream'] as const

/** How long a gateway may be away and still get the rows of the others, where they are not too many. */
export const streamAgeMsMax = 86_400_000
/** Of the rows in the stream; some 250,000 states of rows. Redis needs about as much memory for it. */
export const streamBytesMax = 64 * 1_048_576

/**
 * The hash beside the stream: `name`, made anew with each stream; `bytes` of the rows in it; `rows`, that were ever given; `gone`,
 * the place of the latest entry that was taken away, and `goneRows`, that were given until then. Whoever can write into Redis may
 * have put other entries into the stream: they are passed over.
 */
const prelude = `
local function less(a, b)
  local a_ms, a_number = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_number = string.match(b, '^(%d+)-(%d+)$')
  if a_ms ~= b_ms then return tonumber(a_ms) < tonumber(b_ms) end
  return tonumber(a_number) < tonumber(b_number)
end
local function name_of_stream(name)
  local known = redis.call('HGET', KEYS[3], 'name')
  -- A Redis that is full can still be read.
  if not known then redis.call('HSET', KEYS[3], 'name', name) end
  return known or name
end
-- Whether what stood there is there no more although nobody has taken it away: Redis has lost what it had.
local function is_lost(name, stream, place)
  if place == '' then return 0 end
  if name ~= stream then return 1 end
  local gone = redis.call('HGET', KEYS[3], 'gone') or '0-0'
  if less(gone, place) and #redis.call('XRANGE', KEYS[2], place, place) == 0 then return 1 end
  return 0
end
-- Nil where no gateway has written it, or one of another version.
local function fields_of(entry)
  local fields = {}
  for at = 1, #entry[2], 2 do fields[entry[2][at]] = entry[2][at + 1] end
  if not (fields.by and fields.gateway and fields.rows and fields.total) then return nil end
  if not string.match(fields.total, '^%d+$') or #fields.total > 15 then return nil end
  return fields
end
`

export interface HandedOver {
  /** What this gateway gave last is lost. */
  readonly isLost: boolean
  readonly place: string
  readonly stream: string
}

/** ARGV a name for a new stream, id of the process, name of the gateway, rows, their number, stream and place of the last that it gave (or two empty texts), age and bytes at the most. */
export const handOverRows = new Script(
  'handOverRows',
  `${prelude}
local name = name_of_stream(ARGV[1])
local lost = is_lost(name, ARGV[6], ARGV[7])
local total = redis.call('HINCRBY', KEYS[3], 'rows', ARGV[5])
local place = redis.call('XADD', KEYS[2], '*', 'by', ARGV[2], 'gateway', ARGV[3], 'rows', ARGV[4], 'total', total)
local bytes = redis.call('HINCRBY', KEYS[3], 'bytes', #ARGV[4])
local oldest_ms = now_ms() - tonumber(ARGV[8])
for trimmed = 1, 16 do
  local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  if not oldest or oldest[1] == place then break end
  if bytes <= tonumber(ARGV[9]) and tonumber(string.match(oldest[1], '^(%d+)')) >= oldest_ms then break end
  redis.call('XDEL', KEYS[2], oldest[1])
  redis.call('HSET', KEYS[3], 'gone', oldest[1])
  local fields = fields_of(oldest)
  if fields then
    redis.call('HSET', KEYS[3], 'goneRows', fields.total)
    bytes = redis.call('HINCRBY', KEYS[3], 'bytes', -#fields.rows)
  end
end
return { lost, place, name }
`,
  (reply): HandedOver => {
    // oxlint-disable-next-line no-unsafe-type-assertion -- the script above answers so
    const [isLost, place, stream] = reply as [number, string, string]
    return { isLost: isLost === 1, place, stream }
  },
)

export interface HandedRows {
  readonly stream: string
  /** Of the last of the entries below; of the asker where there are none. */
  readonly place: string
  /** Rows that were given by then, its own too. */
  readonly total: number
  /** Of them, those that were taken away before the asker had them. */
  readonly missedRows: number
  /** When the last of these was given; wall clock of Redis. */
  readonly missedToMs: number
  /** That no gateway has written, or one of another version. */
  readonly unknownEntries: number
  /** Without those of the asker itself. */
  readonly batches: readonly { readonly from: string; readonly text: string }[]
  /** There is more. */
  readonly isMore: boolean
  /** What this gateway gave last is lost. */
  readonly isLost: boolean
}

/** ARGV a name for a new stream, id of the process, stream, place and total of the asker (or two empty texts and 0), most entries at once, stream and place of what it gave last (or two empty texts). */
export const takeRows = new Script(
  'takeRows',
  `${prelude}
local name = name_of_stream(ARGV[1])
local gone = redis.call('HMGET', KEYS[3], 'gone', 'goneRows')
local place = ARGV[4]
local total = tonumber(ARGV[5])
local missed = 0
if name ~= ARGV[3] or place == '' then
  place = '0-0'
  total = 0
elseif gone[1] and less(place, gone[1]) then
  missed = tonumber(gone[2] or '0') - total
end
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if last and less(last[1], place) then place = '0-0' end
local entries = redis.call('XRANGE', KEYS[2], '(' .. place, '+', 'COUNT', ARGV[6])
local batches = {}
local unknown = 0
for _, entry in ipairs(entries) do
  place = entry[1]
  local fields = fields_of(entry)
  if fields then total = tonumber(fields.total) else unknown = unknown + 1 end
  if fields and fields.by ~= ARGV[2] then
    table.insert(batches, fields.gateway)
    table.insert(batches, fields.rows)
  end
end
local is_more = 0
if #entries == tonumber(ARGV[6]) then is_more = 1 end
return { name, place, total, missed, gone[1] or '0-0', batches, is_more, is_lost(name, ARGV[7], ARGV[8]), unknown }
`,
  (reply): HandedRows => {
    // oxlint-disable-next-line no-unsafe-type-assertion -- the script above answers so
    const [stream, place, total, missedRows, gone, texts, isMore, isLost, unknownEntries] = reply as [
      string,
      string,
      number,
      number,
      string,
      string[],
      number,
      number,
      number,
    ]
    const batches: { from: string; text: string }[] = []
    for (let at = 0; at < texts.length; at += 2) batches.push({ from: texts[at] ?? '', text: texts[at + 1] ?? '' })
    const missedToMs = Number(gone.split('-')[0])
    const isOf = { isMore: isMore === 1, isLost: isLost === 1 }
    return { stream, place, total, missedRows: Math.max(0, missedRows), missedToMs, unknownEntries, batches, ...isOf }
  },
)
