/**
 * One limit per minute, in Lua: `access/allowance.ts`, `claim.ts`, `minute-charges.ts` and `wastes.ts`, line by line, so that Redis
 * decides what one gateway alone would. A property test holds both against each other; what is changed there is changed here.
 */
export const allowanceLua = `
local window, slot_ms, slots, rounding = 60000, 2500, 25, 1e-5
local huge = math.huge
local max, min, ceil, floor = math.max, math.min, math.ceil, math.floor

-- minute-charges.ts: amounts and last times by slot.
local function newest_of(a) return floor(a.at / slot_ms) end

local function charges_advance(a, before)
  local newest = newest_of(a)
  if newest == before then return end
  for slot, amount in pairs(a.amounts) do
    if slot <= newest - slots then
      a.sum = a.sum - amount
      a.amounts[slot] = nil
      a.lasts[slot] = nil
    end
  end
end

local function gone_at(a, slot)
  return (a.lasts[slot] or (slot + 1) * slot_ms) + window
end

local function charges_add(a, amount)
  local slot = newest_of(a)
  a.amounts[slot] = (a.amounts[slot] or 0) + amount
  a.sum = a.sum + amount
  if not a.evens and amount ~= 0 then a.lasts[slot] = a.at end
end

local function charges_remove(a, amount, at)
  local slot = floor(at / slot_ms)
  local there = a.amounts[slot]
  if not there or slot <= newest_of(a) - slots then return end
  local less = min(amount, there)
  a.amounts[slot] = there - less
  a.sum = a.sum - less
end

local function charges_scale(a, by)
  a.sum = 0
  for slot, amount in pairs(a.amounts) do
    a.amounts[slot] = floor(amount * by)
    a.sum = a.sum + a.amounts[slot]
  end
end

local function charges_at(a, at)
  local left = a.sum
  local newest = newest_of(a)
  for slot = newest - slots + 1, newest do
    if left <= 0 then break end
    local amount = a.amounts[slot] or 0
    if amount ~= 0 then
      if gone_at(a, slot) > at then break end
      left = left - amount
    end
  end
  return left
end

local function charges_until(a, at_most, now)
  if a.sum <= at_most then return 0 end
  local left = a.sum
  local newest = newest_of(a)
  for slot = newest - slots + 1, newest do
    local amount = a.amounts[slot]
    if amount then
      left = left - amount
      if left <= at_most then return max(0, ceil(gone_at(a, slot) - now - rounding)) end
    end
  end
  return 0
end

-- claim.ts
local claim_share, about_the_same, bar_ms = 0.25, 0.9, 120000

local function bar(a, who, now)
  if not a.shared then return end
  a.barred = a.barred or {}
  local times = 0
  for i, one in ipairs(a.barred) do
    if one[1] == who then
      times = one[2]
      table.remove(a.barred, i)
      break
    end
  end
  times = min(6, times + 1)
  table.insert(a.barred, { who, times, now + bar_ms * 2 ^ (times - 1) })
  if #a.barred > 64 then table.remove(a.barred, 1) end
end

local function standing(a, now)
  local claim = a.claim
  if not claim or now < claim.lapses then return claim end
  a.claim = nil
  a.next = now
  bar(a, claim.who, now)
  return nil
end

local function is_taking(claim, who, cost)
  return claim.who == who and cost >= about_the_same * claim.cost
end

local function claim_against(a, who, cost, now)
  local claim = standing(a, now)
  if claim and not is_taking(claim, who, cost) then return claim end
end

local function claim_of(a, who, cost, now)
  local claim = standing(a, now)
  if claim and is_taking(claim, who, cost) then return claim end
end

local function may_claim(a, who, now)
  if standing(a, now) or (a.next and now < a.next) then return false end
  for _, one in ipairs(a.barred or {}) do
    if one[1] == who then return one[3] <= now end
  end
  return true
end

local function expect(claim, now, told)
  claim.back = now + told
  claim.lapses = claim.back + min(60000, max(2000, 0.25 * told))
end

-- wastes.ts
local missed_ms, owed_max = 120000, 120000

local function counts_ms(a, who, now)
  local missed = a.missed
  if missed and missed[1] == who then missed = a.other end
  return missed and max(0, missed[2] + missed_ms - now) or 0
end

local function owed_ms(a, who, now)
  local paid = a.paid and a.paid[who]
  if not paid or counts_ms(a, who, now) <= 0 then return 0 end
  return max(0, paid - now)
end

local function whole(ms) return max(0, ceil(ms - rounding)) end

local function wastes_until(a, missing, spare, who, now)
  local owed = owed_ms(a, who, now)
  if owed <= missing then return whole(missing) end
  local met = max((owed + missing) / 2, owed - spare)
  return min(whole(met), max(whole(missing), ceil(counts_ms(a, who, now))))
end

-- allowance.ts
local function even_of(a) return a.evens and 0.125 * a.limit or 0 end

local function burst_of(a)
  local at_once = max(1, 0.25 * a.limit)
  return a.evens and at_once or max(at_once, min(a.limit, 10))
end

local function capacity_of(a) return burst_of(a) + even_of(a) end

local function guard_of(a)
  if a.limit < 4 then return a.limit end
  return max(a.limit + 1, 1.2 * a.limit)
end

local function need_of(a, cost) return min(capacity_of(a), max(cost, even_of(a))) end

local function advance(a, now)
  if now <= a.at then return end
  local before = newest_of(a)
  a.level = min(capacity_of(a), a.level + ((now - a.at) * a.limit) / window)
  a.at = now
  charges_advance(a, before)
end

local function until_level(a, level)
  local missing = ((level - a.level) * window) / a.limit
  return max(0, ceil(missing - rounding))
end

local function until_charged(a, cost, now)
  local guard = guard_of(a)
  return charges_until(a, guard - min(cost, guard), now)
end

local function until_reached(a, level)
  return level > capacity_of(a) and huge or until_level(a, level)
end

local function set_aside(a, claim, all, at)
  local since = max(0, at - claim.from)
  return min(all, claim.level + (since * claim_share * a.limit) / window)
end

local function until_beside(a, claim, all, need, now)
  local rate = a.limit / window
  local aside_rate = rate * claim_share
  local until_from = max(0, claim.from - now)
  local missing = need + set_aside(a, claim, all, now) - a.level
  if missing <= rate * rounding then return 0 end
  local meanwhile = (missing - until_from * aside_rate) / (rate - aside_rate)
  if now + meanwhile > claim.due then return until_reached(a, need + all) end
  return until_reached(a, a.level + meanwhile * rate)
end

local function until_beyond(a, claim, cost, now, own)
  local guard = guard_of(a)
  local room = guard - min(claim.cost, guard) - cost
  if room < 0 then return huge end
  local all = need_of(a, claim.cost)
  local need = max(cost, min(even_of(a), (capacity_of(a) - all) / 2))
  if charges_at(a, claim.due) <= room then
    local level = min(capacity_of(a), a.level + (own * a.limit) / window)
    local too_late = need + all > capacity_of(a) and level < need + set_aside(a, claim, all, now + own)
    local beside = until_beside(a, claim, all, need, now)
    return too_late and beside < own and huge or beside
  end
  return max(charges_until(a, room, now), until_reached(a, need + all))
end

local function until_own_level(a, level, who, now)
  if not a.paid and not a.missed then return until_level(a, level) end
  local missing = ((level - a.level) * window) / a.limit
  local spare = ((capacity_of(a) - level) * window) / a.limit
  return wastes_until(a, missing, spare, who, now)
end

local function fits_in(a, cost, who, now, elsewhere)
  if cost <= 0 then return 0 end
  advance(a, now)
  local level = until_own_level(a, need_of(a, cost), who, now)
  local own = max(level, until_charged(a, cost, now), elsewhere)
  local claim = claim_against(a, who, cost, now)
  if not claim then return own end
  return max(own, min(ceil(claim.lapses - now), until_beyond(a, claim, cost, now, own)))
end

local function come_back_in(a, cost, who, now, elsewhere)
  local fits = fits_in(a, cost, who, now, elsewhere)
  local claim = claim_of(a, who, cost, now)
  if not claim or now < claim.back then return fits end
  return max(fits, ceil(claim.due - now))
end

local function missed(a, cost, who, now)
  if not a.shared then return end
  local is_there = until_level(a, need_of(a, cost)) == 0 and until_charged(a, cost, now) == 0
  if is_there and not claim_against(a, who, cost, now) then return end
  if a.missed and a.missed[1] ~= who then a.other = a.missed end
  a.missed = { who, now }
end

local function claim_for(a, cost, who, now, told)
  if cost <= even_of(a) or not a.evens then return end
  local claim = claim_of(a, who, cost, now)
  if claim then return expect(claim, now, told) end
  if not may_claim(a, who, now) or owed_ms(a, who, now) > 0 then return end
  local rate = a.limit / window
  local level = max(0, a.level)
  local from = now + max(0, -a.level) / rate
  local filled = from + max(0, need_of(a, cost) - level) / (rate * claim_share)
  local due = max(filled, now + fits_in(a, cost, who, now, 0))
  claim = { who = who, cost = cost, level = level, from = from, due = due }
  expect(claim, now, told)
  a.claim = claim
  a.next = now + cost / rate / claim_share
end

local function draw_of(a, now)
  advance(a, now)
  return { max(0, a.level - even_of(a)), 0, now }
end

-- draw: room, owed, owed at.
local function take(a, cost, now, draw)
  advance(a, now)
  local refilled = ((now - draw[3]) * a.limit) / window
  draw[2] = max(0, draw[2] - refilled)
  draw[3] = now
  local taken = max(0, min(cost, floor(a.limit + draw[1] - draw[2])))
  draw[2] = draw[2] + taken
  a.level = a.level - taken
  charges_add(a, taken)
  return taken
end

local function admitted(a, cost, who, now)
  if claim_of(a, who, cost, now) then a.claim = nil end
end

local function give(a, amount, at, now)
  advance(a, now)
  a.level = min(capacity_of(a), a.level + amount)
  charges_remove(a, amount, at)
end

local function ended(a, reserved, needed, held, who, now)
  if not a.shared then return end
  local is_used = needed >= 0.25 * reserved
  if (is_used or counts_ms(a, who, now) > 0) and reserved > even_of(a) and a.evens then
    if not is_used then
      bar(a, who, now)
    else
      for i, one in ipairs(a.barred or {}) do
        if one[1] == who then
          table.remove(a.barred, i)
          break
        end
      end
    end
  end
  local wasted = max(0, reserved - needed) * min(1, held / window)
  if wasted < 1 then return end
  a.paid = a.paid or {}
  local from = max(now, a.paid[who] or now)
  a.paid[who] = min(now + owed_max, from + (wasted * window) / a.limit)
end

local function set_limit(a, limit, now)
  advance(a, now)
  local before = capacity_of(a)
  local scale = limit / a.limit
  a.limit = limit
  a.level = a.level > 0 and (a.level / before) * capacity_of(a) or a.level * scale
  charges_scale(a, scale)
  a.claim = nil
end

local function new_allowance(limit, now)
  return { limit = limit, at = now, sum = 0, amounts = {}, lasts = {} }
end
`
