/** How accounts are written down in Redis between two calls, in Lua: as the JSON of `access/limit-records.ts`. */
export const recordLua = `
-- Of JSON only 14 digits are kept, which is not enough for parts of a millisecond and of a token.
local function exact(n)
  return n == floor(n) and n or string.format('%.17g', n)
end

local function read_allowance(name, shared, r, now)
  local a = {
    evens = name ~= 'requestsPerMinute',
    shared = shared,
    limit = r.limit,
    level = tonumber(r.level),
    at = r.at,
    sum = 0,
    amounts = {},
    lasts = {},
    next = r.next and tonumber(r.next),
    missed = r.missed,
    other = r.other,
  }
  local list = r.slots or {}
  for i = 1, #list, 3 do
    a.amounts[list[i]] = list[i + 1]
    a.sum = a.sum + list[i + 1]
    if list[i + 2] > 0 then a.lasts[list[i]] = list[i + 2] end
  end
  if r.claim then
    local c = r.claim
    a.claim = {
      who = c.who,
      cost = c.cost,
      level = tonumber(c.level),
      from = tonumber(c.from),
      due = tonumber(c.due),
      back = tonumber(c.back),
      lapses = tonumber(c.lapses),
    }
  end
  if r.barred then
    a.barred = {}
    for i, one in ipairs(r.barred) do a.barred[i] = { one[1], one[2], tonumber(one[3]) } end
  end
  if r.paid then
    a.paid = {}
    for who, at in pairs(r.paid) do a.paid[who] = tonumber(at) end
  end
  -- A clock was set back: what was charged counts from now on, and what was put aside or owed for other times does no more.
  if a.at > now then
    local charged_later
    for slot, amount in pairs(a.amounts) do
      if slot > floor(now / slot_ms) then
        a.sum = a.sum - amount
        a.amounts[slot], a.lasts[slot] = nil, nil
        charged_later = (charged_later or 0) + amount
      end
    end
    a.at = now
    if charged_later then charges_add(a, charged_later) end
    if a.at + 60000 < r.at then a.claim, a.next, a.paid, a.missed, a.other = nil, nil, nil, nil, nil end
  end
  return a
end

local function write_allowance(a, now)
  local r = { limit = a.limit, level = exact(a.level), at = a.at, missed = a.missed, other = a.other }
  local list = {}
  for slot, amount in pairs(a.amounts) do
    if amount ~= 0 then
      local n = #list
      list[n + 1], list[n + 2], list[n + 3] = slot, amount, a.lasts[slot] or 0
    end
  end
  if #list > 0 then r.slots = list end
  r.next = a.next and exact(a.next)
  if a.claim then
    local c = a.claim
    r.claim = {
      who = c.who,
      cost = c.cost,
      level = exact(c.level),
      from = exact(c.from),
      due = exact(c.due),
      back = exact(c.back),
      lapses = exact(c.lapses),
    }
  end
  if a.barred and #a.barred > 0 then
    r.barred = {}
    for i, one in ipairs(a.barred) do r.barred[i] = { one[1], one[2], exact(one[3]) } end
  end
  for who, at in pairs(a.paid or {}) do
    if at > now then
      r.paid = r.paid or {}
      r.paid[who] = exact(at)
    end
  end
  return r
end

local function is_row(row, numbers, from)
  if type(row) ~= 'table' then return false end
  for i = from, from + numbers - 1 do
    if type(row[i]) ~= 'number' then return false end
  end
  return true
end

-- Throws where the text is none of an account.
local function read_record(text, shared, now)
  local r = cjson.decode(text)
  local record = { minute = {}, day = r.day or {}, month = r.month or {}, live = r.live or {}, epoch = r.epoch }
  assert(type(r.epoch) == 'string' and type(r.minute) == 'table')
  for name, told in pairs(r.minute) do
    record.minute[name] = read_allowance(name, shared, told, now)
    assert(type(told.limit) == 'number' and record.minute[name].level)
  end
  for _, kind in ipairs({ 'day', 'month' }) do
    for _, use in ipairs(record[kind]) do assert(type(use[1]) == 'string' and is_row(use, 3, 2)) end
  end
  for _, row in pairs(record.live) do assert(is_row(row, 2, 1)) end
  return record
end

-- What somebody else has put there, or another version, counts as nothing used, and is written anew: else no batch with it would
-- ever be done.
local function read_account(key, wish, epoch, now)
  local shared = wish.kind == 'team'
  local text = redis.pcall('GET', key)
  local record, unreadable
  if text then
    local ok, known = pcall(read_record, text, shared, now)
    if ok then record = known else unreadable = true end
  end
  if not record then record = { minute = {}, day = {}, month = {}, live = {}, epoch = epoch } end
  return {
    shared = shared,
    limits = wish.limits,
    minute = record.minute,
    day = record.day,
    month = record.month,
    live = record.live,
    epoch = record.epoch,
    own = wish.live and wish.live[1] or 0,
    running = wish.live and wish.live[2] or 0,
    tells = wish.live,
    unreadable = unreadable,
  }
end

local function write_account(account, id, alive, now)
  local r = { minute = {}, live = {}, epoch = account.epoch }
  for name, a in pairs(account.minute) do
    if account.limits[name] or now - a.at < 2 * window then r.minute[name] = write_allowance(a, now) end
  end
  for _, kind in ipairs({ 'day', 'month' }) do
    if #account[kind] > 0 then r[kind] = account[kind] end
  end
  for other, live in pairs(account.live) do
    if other ~= id and (not alive or alive[other]) then
      r.live[other] = live
    end
  end
  if account.tells and account.own > 0 then r.live[id] = { account.own, account.running } end
  return cjson.encode(r)
end
`
