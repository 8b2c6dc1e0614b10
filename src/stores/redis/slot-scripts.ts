/** Who holds how many slots of a host, who is to have the next one, and who is told of it: decided by Redis, all at once. */
import { modelsLua } from './load-scripts.ts'
import { Script } from './script.ts'

/** A claim is kept for so long unless it is made anew, and for so long once its replica was told that a slot is free. */
const claimMs = 500
const toldClaimMs = 100
/** Nothing is left of a host that nobody has asked for in so long. */
const keptMs = 60_000

/**
 * KEYS epoch, alive, and of one host slots, claims; where it does not have all its models at once also models, load.
 * ARGV id, gone after ms, number of this message, number of the last one whose answer is known, slots held for certain, limit,
 * name of the host, prefix of the channels on which replicas are told.
 *
 * A row of `slots` is of one replica: `<number of its last message> <held for certain> <limit> <numbers of grants of which it
 * does not know yet>`. What comes with a smaller number than the last was overtaken, and changes nothing. Where replicas know
 * of different limits, the largest of those that hold something counts for all: by a smaller one its replica could take nothing
 * of what others may take, and would wait for ever, or keep them waiting in vain.
 * A claim is `<until ms> <1 when told> <band> <counter> <how many wait>`.
 */
const common = `
local now = now_ms()
local id, number, answered, sure, limit = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local function lives(other)
  local beat = redis.call('ZSCORE', KEYS[2], other)
  return beat and tonumber(beat) >= now - ARGV[2]
end

local grants = {}
local overtaken = false
local mine = redis.call('HGET', KEYS[3], id)
if mine then
  local last, rest = string.match(mine, '^(%d+) %d+ %d+(.*)$')
  if last then
    overtaken = tonumber(last) > number
    for grant in string.gmatch(rest, '%d+') do
      if tonumber(grant) > answered then grants[#grants + 1] = grant end
    end
  end
end

local held, elsewhere = {}, 0
local function count_others()
  local rows = redis.call('HGETALL', KEYS[3])
  for at = 1, #rows, 2 do
    local other = rows[at]
    if other ~= id then
      if lives(other) then
        -- What nobody can read is none of a gateway.
        local certain, most, rest = string.match(rows[at + 1], '^%d+ (%d+) (%d+)(.*)$')
        local _, more = string.gsub(rest or '', ' ', '')
        held[other] = tonumber(certain or 0) + more
        elsewhere = elsewhere + held[other]
        if held[other] > 0 then limit = math.max(limit, tonumber(most)) end
      else
        redis.call('HDEL', KEYS[3], other)
      end
    end
  end
end

local function keep_mine()
  local row = ARGV[3] .. ' ' .. ARGV[5] .. ' ' .. ARGV[6]
  if #grants > 0 then row = row .. ' ' .. table.concat(grants, ' ') end
  redis.call('HSET', KEYS[3], id, row)
  redis.call('PEXPIRE', KEYS[3], ${keptMs})
  return sure + #grants
end

local function is_less(one, other)
  if one.band ~= other.band then return one.band < other.band end
  if one.counter ~= other.counter then return one.counter < other.counter end
  return one.id < other.id
end

local function claims_of_others()
  local rows = redis.call('HGETALL', KEYS[4])
  local claims = {}
  for at = 1, #rows, 2 do
    local other = rows[at]
    local till, told, band, counter, waiting = string.match(rows[at + 1], '^(%d+) (%d) (%d) (%S+) (%d+)$')
    if not till or tonumber(till) <= now or not lives(other) then
      redis.call('HDEL', KEYS[4], other)
    elseif other ~= id then
      claims[#claims + 1] = { id = other, till = tonumber(till), told = told == '1', band = tonumber(band), counter = tonumber(counter), waiting = tonumber(waiting), text = counter .. ' ' .. waiting }
    end
  end
  return claims
end

-- Those of the least rank hear that a slot is free for them, as many as there are slots.
local function offer(free, own, claims)
  local untold = {}
  for _, claim in ipairs(claims) do
    if claim.told then free = free - 1 else untold[#untold + 1] = claim end
  end
  if free <= 0 or #untold == 0 then return end
  table.sort(untold, is_less)
  for at = 1, math.min(free, #untold) do
    local claim = untold[at]
    local till = math.min(claim.till, now + ${toldClaimMs})
    redis.call('HSET', KEYS[4], claim.id, string.format('%d 1 %d ', till, claim.band) .. claim.text)
    redis.call('PUBLISH', ARGV[8] .. claim.id, (elsewhere + own - (held[claim.id] or 0)) .. ' ' .. ARGV[7])
  end
end
`

export interface TakeAnswer {
  readonly granted: boolean
  readonly elsewhere: number
  readonly isForModel: boolean
}

/**
 * ARGV further: band and counter of the one that asks, and of the one that has the claim once it is granted, '' where nobody has;
 * how many wait there beside the one that asks; at a host that does not have all its models at once the model, all that this
 * replica has requests for, 0 or 1 where it is to be loaded (1: nothing else may run there), and whom that puts out.
 */
export const takeScript = new Script(
  'slot_take',
  `${common}${modelsLua}
if overtaken then return { 0, 0 } end
if not is_settled(now) then return not_settled end
count_others()
local claims = claims_of_others()
local own = { id = id, band = tonumber(ARGV[9]), counter = tonumber(ARGV[10]) }
local free = limit - elsewhere - sure - #grants
local before = 0
for _, claim in ipairs(claims) do
  if claim.band < own.band or (claim.band == own.band and claim.counter < own.counter) then before = before + claim.waiting end
end
local granted = free > before
local for_model = 0
local band, counter, waiting = ARGV[9], ARGV[10], ARGV[13] + 1
if granted and ARGV[14] then
  local may_begin = not waits_for_load(KEYS[6], ARGV[14])
  if may_begin and ARGV[16] ~= '' then may_begin = begin_load(KEYS[5], KEYS[6], ARGV[14], ARGV[16], ARGV[17]) end
  if may_begin then
    keep_models(KEYS[5], ARGV[15])
  else
    granted = false
    for_model = 1
    -- A slot that it could not use is for others.
    band = ''
  end
end
if granted then
  grants[#grants + 1] = ARGV[3]
  band, counter, waiting = ARGV[11], ARGV[12], math.max(1, ARGV[13])
end
if band == '' then
  redis.call('HDEL', KEYS[4], id)
else
  redis.call('HSET', KEYS[4], id, string.format('%d 0 ', now + ${claimMs}) .. band .. ' ' .. counter .. ' ' .. string.format('%d', waiting))
  redis.call('PEXPIRE', KEYS[4], ${keptMs})
end
local mine_now = keep_mine()
offer(limit - elsewhere - mine_now, mine_now, claims)
return { granted and 1 or 0, elsewhere, for_model }
`,
  (reply): TakeAnswer => {
    const [granted, elsewhere = 0, isForModel] = Array.isArray(reply) ? reply.map(Number) : []
    return { granted: granted === 1, elsewhere, isForModel: isForModel === 1 }
  },
)

/** ARGV further: 1 where its claim is kept; at a host that does not have all its models at once, those that it has requests for. */
export const tellScript = new Script(
  'slot_tell',
  `${common}${modelsLua}
if overtaken then return 0 end
if ARGV[10] then keep_models(KEYS[5], ARGV[10]) end
local mine_now = keep_mine()
if ARGV[9] ~= '1' then redis.call('HDEL', KEYS[4], id) end
if not is_settled(now) or redis.call('EXISTS', KEYS[4]) == 0 then return 1 end
count_others()
offer(limit - elsewhere - mine_now, mine_now, claims_of_others())
return 1
`,
  () => {},
)
