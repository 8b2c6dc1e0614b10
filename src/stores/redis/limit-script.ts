/** What several gateways charge to limits, all or none of one request, by the clock of Redis: one script for a batch of them. */
import { accountLua } from './limit-lua-account.ts'
import { allowanceLua } from './limit-lua-allowance.ts'
import { recordLua } from './limit-lua-record.ts'
import { Script } from './script.ts'

/**
 * KEYS epoch, alive, what this gateway's last batch was answered, then an account each. ARGV the batch in JSON, and after how many
 * milliseconds a gateway is gone (0: it does not matter to this batch). What has `tells` is told by everybody in the first
 * second of an epoch, when nothing is granted yet.
 *
 * A batch that was answered too late is sent again under its number: then it is not done twice, but answered as before.
 */
const batchLua = `
local now = now_ms()
local batch = cjson.decode(ARGV[1])
local epoch = string.match(redis.call('GET', KEYS[1]) or '', '^%S+')
if not epoch or not (batch.tells or is_settled(now)) then return { 'unsettled' } end
local done = redis.pcall('GET', KEYS[3])
if type(done) == 'string' then
  local seq, answer = string.match(done, '^(%d+) (.*)$')
  if tonumber(seq) == batch.seq then return { now, epoch, answer, '' } end
end

local alive
if tonumber(ARGV[2]) > 0 then
  alive = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], now - tonumber(ARGV[2]), '+inf')) do alive[id] = true end
end

local asked = {}
for _, ask in ipairs(batch.asks) do
  for _, at in ipairs(ask.accounts) do asked[at] = true end
end

local accounts = {}
for i, wish in ipairs(batch.accounts) do
  local account = read_account(KEYS[3 + i], wish, epoch, now)
  account.kept = wish.kept
  if wish.seed then merge(account, wish.seed, wish.of, now) end
  account.others, account.others_running = others_of(account, batch.id, alive or {})
  accounts[i] = account
end

-- By the limits that it was charged to; who asks brings those of now.
for _, told in ipairs(batch.changes) do change(accounts[told.account], told, now) end
for i, wish in ipairs(batch.accounts) do
  if wish.past then merge_past(accounts[i], wish.past, wish.past.of) end
end
for at in pairs(asked) do use(accounts[at], now) end

-- Who was told to wait goes before those of its holder that come later.
local waits = {}
local answers = {}
for n, ask in ipairs(batch.asks) do
  local of = {}
  for i, at in ipairs(ask.accounts) do
    of[i] = accounts[at]
    of[i].at = i - 1
  end
  if ask.newcomer and waits[ask.who] and waits[ask.who] <= ask.class then
    answers[n] = { behind = true }
  else
    local worst = worst_of(of, ask, now)
    if not worst then
      local held = {}
      for i, account in ipairs(of) do
        held[i] = hold(account, ask, now)
        if i > 1 or not ask.placed then account.own = account.own + 1 end
        account.running = account.running + 1
      end
      answers[n] = { held = held }
    else
      -- Nobody begins to wait for the end of others, and who waits already goes on.
      local may_wait = worst.wait <= ask.patience and not (ask.newcomer and worst.limit == 'concurrentRequests')
      if not ask.looks then
        for i, account in ipairs(of) do
          if account.shared or not may_wait then claim_all(account, ask, now, worst.wait) end
        end
      end
      if may_wait and ask.newcomer then
        of[1].own = of[1].own + 1
        waits[ask.who] = min(waits[ask.who] or ask.class, ask.class)
      end
      answers[n] = { wait = worst.wait, limit = worst.limit, cost = worst.cost, account = worst.account }
    end
  end
end

local unreadable = {}
local texts, lives = {}, {}
for i, account in ipairs(accounts) do
  if account.unreadable then unreadable[#unreadable + 1] = i end
  texts[i] = write_account(account, batch.id, alive, now)
  lives[i] = 600000
  for _, kind in ipairs({ 'day', 'month' }) do
    for _, use in ipairs(account[kind]) do
      -- A day longer, in case a clock is set back.
      if account.kept and (use[3] > 0 or use[4] > 0) then lives[i] = max(lives[i], use[2] - now + 86400000) end
    end
  end
end
local reply = { now, epoch, #answers > 0 and cjson.encode(answers) or '', table.concat(unreadable, ' ') }
-- Nothing is written before all is known: what fails has changed nothing.
for i, text in ipairs(texts) do
  redis.call('SET', KEYS[3 + i], text, 'PX', floor(lives[i]))
  reply[4 + i] = asked[i] and text or ''
end
redis.call('SET', KEYS[3], batch.seq .. ' ' .. reply[3], 'PX', 3600000)
return reply
`

export const limitsLua = allowanceLua + recordLua + accountLua + batchLua

export interface LimitReply {
  readonly nowMs: number
  readonly epoch: string
  /** JSON. */
  readonly answers: string
  /** Accounts of the batch, from 1 on, that were there and could not be read: they count as new. */
  readonly unreadable: readonly number[]
  /** JSON by account of the batch; empty where nobody asked; none where the batch had been done before. */
  readonly accounts: readonly string[]
}

/** Null while nothing is granted: the fleet has begun anew. */
export const limitScript = new Script('limits', limitsLua, (reply): LimitReply | null => {
  const parts: unknown[] = Array.isArray(reply) ? reply : []
  const [nowMs, epoch, answers, unreadable, ...accounts] = parts
  if (nowMs === 'unsettled') return null
  if (typeof nowMs !== 'number') throw new TypeError('no answer of the script of limits')
  const places = unreadable === '' ? [] : String(unreadable).split(' ').map(Number)
  return { nowMs, epoch: String(epoch), answers: String(answers), unreadable: places, accounts: accounts.map(String) }
})
