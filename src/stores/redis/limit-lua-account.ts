/** All limits of one key, team or address, in Lua: `access/account.ts` and `quota.ts`. */
export const accountLua = `
local minute_names = { 'requestsPerMinute', 'tokensPerMinute', 'inputTokensPerMinute', 'outputTokensPerMinute' }
local budget_limits = {
  { 'requestsPerDay', 'day', 3 },
  { 'requestsPerMonth', 'month', 3 },
  { 'tokensPerDay', 'day', 4 },
  { 'tokensPerMonth', 'month', 4 },
}

-- Of requests, prompt and answer.
local function amount_of(name, cost)
  if name == 'requestsPerMinute' then return cost[1] end
  if name == 'inputTokensPerMinute' then return cost[2] end
  if name == 'outputTokensPerMinute' then return cost[3] end
  return cost[2] + cost[3]
end

local function counted(field, cost)
  return field == 3 and cost[1] or cost[2] + cost[3]
end

-- As \`Account.use\`, for those who ask. What is not limited any more is kept for a while: other gateways may not have heard of it.
local function use(account, now)
  account.used = {}
  for _, name in ipairs(minute_names) do
    local limit = account.limits[name]
    if limit then
      local a = account.minute[name]
      if not a then
        a = new_allowance(limit, now)
        a.evens, a.shared = name ~= 'requestsPerMinute', account.shared
        a.level = capacity_of(a)
      elseif a.limit ~= limit then
        set_limit(a, limit, now)
      end
      account.minute[name] = a
      account.used[name] = a
    end
  end
end

-- Of what is told late: a period puts out none that is newer, however many days of several gateways come one after the other.
local function recalled(account, kind, period)
  local uses = account[kind]
  for _, use in ipairs(uses) do
    if use[1] == period[1] then return use end
  end
  local known = { period[1], period[2], 0, 0, 0, 0 }
  table.insert(uses, known)
  table.sort(uses, function(a, b) return a[2] > b[2] end)
  uses[3] = nil
  return known
end

-- Counts of a day or month stand on a base, which gateways know from before Redis was emptied: it is no charge of anybody.
local function merge_period(known, told, of)
  for i = 3, 4 do
    local base = known[i + 2] or 0
    if of then
      local more = max(0, told[i] - base)
      known[i], known[i + 2] = known[i] + more, base + more
    else
      known[i], known[i + 2] = max(known[i], told[i]), max(base, told[i])
    end
  end
end

-- What a ledger says was used: of before an epoch (\`of\` names the one that was known then), or of all until now.
local function merge_past(account, past, of)
  if of == account.epoch then return end
  for _, kind in ipairs({ 'day', 'month' }) do
    for _, told in ipairs(past[kind] or {}) do merge_period(recalled(account, kind, told), told, of) end
  end
end

-- What a gateway still knows of an account that Redis has lost, or has never had: whoever says more used is right. \`of\`: the
-- epoch in which it was known; none of what comes from a ledger.
local function merge(account, seed, of, now)
  if of == account.epoch then return end
  for name, record in pairs(seed.minute or {}) do
    local other = read_allowance(name, account.shared, record, now)
    local a = account.minute[name]
    if not a then
      account.minute[name] = other
    else
      advance(a, now)
      advance(other, now)
      if other.limit ~= a.limit then set_limit(other, a.limit, now) end
      a.level = min(a.level, other.level)
      for slot, amount in pairs(other.amounts) do
        local more = max(0, amount - (a.amounts[slot] or 0))
        a.amounts[slot] = (a.amounts[slot] or 0) + more
        a.sum = a.sum + more
        if other.lasts[slot] then a.lasts[slot] = max(a.lasts[slot] or 0, other.lasts[slot]) end
      end
    end
  end
  merge_past(account, seed, of)
end

-- The one of now first, and the one before it.
local function during(account, kind, period)
  local uses = account[kind]
  local label = period[1]
  if uses[1] and uses[1][1] == label then return uses[1] end
  local known = uses[2] and uses[2][1] == label and uses[2] or { label, period[2], 0, 0, 0, 0 }
  account[kind] = { known, uses[1] }
  return known
end

local function count(account, kind, label, requests, tokens)
  for _, use in ipairs(account[kind]) do
    if use[1] == label then
      use[3] = use[3] + requests
      use[4] = use[4] + tokens
    end
  end
end

-- Of the others: with those that wait, and those that run.
local function others_of(account, id, alive)
  local live, running = 0, 0
  for other, row in pairs(account.live) do
    if other ~= id and alive[other] then live, running = live + row[1], running + row[2] end
  end
  return live, running
end

local function worse(worst, account, limit, cost, wait)
  if worst and wait <= worst.wait then return worst end
  return { account = account.at, limit = limit, cost = cost, wait = wait }
end

local function obstacle(account, ask, now, elsewhere, worst)
  for _, name in ipairs(minute_names) do
    local a = account.used[name]
    if a then
      local amount = amount_of(name, ask.cost)
      if fits_in(a, amount, ask.who, now, elsewhere) > elsewhere then
        worst = worse(worst, account, name, amount, come_back_in(a, amount, ask.who, now, elsewhere))
      end
    end
  end
  local at_once = account.limits.concurrentRequests
  if at_once then
    -- Who waits has its place already. That all who wait are too many, who came at once at several gateways, stops none.
    local running = ask.placed and not account.shared
    local many = running and account.others_running + account.running or account.others + account.own
    if many >= at_once then
      worst = worse(worst, account, 'concurrentRequests', 1, 1000)
    end
  end
  for _, budget in ipairs(budget_limits) do
    local most = account.limits[budget[1]]
    if most then
      local amount = counted(budget[3], ask.cost)
      local used = during(account, budget[2], ask[budget[2]])[budget[3]]
      if not (amount == 0 or used == 0 or used + amount <= most) then
        worst = worse(worst, account, budget[1], amount, ask[budget[2]][2] - now)
      end
    end
  end
  return worst
end

local function worst_of(accounts, ask, now)
  local function after(elsewhere)
    local worst
    for _, account in ipairs(accounts) do worst = obstacle(account, ask, now, elsewhere, worst) end
    return worst
  end
  local worst = after(0)
  for _ = 1, 4 do
    if not worst then break end
    local later = after(worst.wait)
    if not later or later.wait <= worst.wait then break end
    worst = later
  end
  return worst
end

local function claim_all(account, ask, now, told)
  for _, name in ipairs(minute_names) do
    local a = account.used[name]
    if a then
      local amount = amount_of(name, ask.cost)
      local wait = come_back_in(a, amount, ask.who, now, 0)
      if wait ~= 0 then
        missed(a, amount, ask.who, now)
        if wait >= told / 2 then claim_for(a, amount, ask.who, now, told) end
      end
    end
  end
end

-- By limit: what it may draw on, and what was taken of it.
local function hold(account, ask, now)
  for _, kind in ipairs({ 'day', 'month' }) do
    local use = during(account, kind, ask[kind])
    use[3] = use[3] + ask.cost[1]
    use[4] = use[4] + ask.cost[2] + ask.cost[3]
  end
  local held = {}
  for _, name in ipairs(minute_names) do
    local a = account.used[name]
    if a then
      local draw = draw_of(a, now)
      local taken = take(a, amount_of(name, ask.cost), now, draw)
      admitted(a, amount_of(name, ask.cost), ask.who, now)
      held[name] = { exact(draw[1]), exact(draw[2]), draw[3], taken }
    end
  end
  return held
end

-- What a request takes or gives back while it runs and at its end, or several did while Redis was not there.
local function change(account, told, now)
  for name, of in pairs(told.minute or {}) do
    local a = account.minute[name]
    if a then
      if of.take then take(a, of.take, now, of.draw) end
      for _, back in ipairs(of.give or {}) do give(a, back[1], back[2], now) end
      if of.ended then ended(a, of.ended[1], of.ended[2], of.ended[3], told.who, now) end
      if of.owed then
        advance(a, now)
        a.level = min(capacity_of(a), a.level - of.owed)
      end
      for _, charged in ipairs(of.charged or {}) do
        local slot = min(charged[1], newest_of(a))
        if slot > newest_of(a) - slots then
          local sum = max(0, (a.amounts[slot] or 0) + charged[2])
          a.sum = a.sum + sum - (a.amounts[slot] or 0)
          a.amounts[slot] = sum
          if not a.evens then a.lasts[slot] = max(a.lasts[slot] or 0, min(now, charged[3])) end
        end
      end
    end
  end
  for _, used in ipairs(told.periods or {}) do
    if used[6] == 1 then recalled(account, used[1], { used[2], used[3] }) end
    count(account, used[1], used[2], used[4], used[5])
  end
end
`
