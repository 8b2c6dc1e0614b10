/** One load of a model on a host at a time, whichever gateway has it made, and none that puts out what another one uses. */
import { Script } from './script.ts'

/** A load whose gateway tells no more of it does not stand in the way for longer. */
const loadLeaseMs = 5_000

/**
 * For scripts that have `id`, `now` and `lives`: the models of a host, `models` and `load` being its last two keys. A row of
 * `models` is of one replica: what it has requests for there, a name a line. `load` is that of the one that has a model loaded:
 * its id, 1 where nothing else may run there meanwhile, the model, and whom it puts out, each a line.
 */
export const modelsLua = `
local function names_in(text)
  local names = {}
  for name in string.gmatch(text, '[^\\n]+') do names[name] = true end
  return names
end

-- Another one's load for which nothing is to be begun with the model; its own it waits for, too.
local function waits_for_load(load_key, model)
  local row = redis.call('GET', load_key)
  if not row then return false end
  local owner, alone, loaded, out = string.match(row, '^([^\\n]*)\\n(%d)\\n([^\\n]*)\\n(.*)$')
  if owner == id or not lives(owner) then return false end
  return alone == '1' or loaded == model or names_in(out)[model] == true
end

local function begin_load(models_key, load_key, model, alone, out)
  local row = redis.call('GET', load_key)
  if row then
    local owner = string.match(row, '^[^\\n]*')
    if owner ~= id and lives(owner) then return false end
  end
  local gone = names_in(out)
  local rows = redis.call('HGETALL', models_key)
  for at = 1, #rows, 2 do
    if rows[at] ~= id and lives(rows[at]) then
      for name in pairs(names_in(rows[at + 1])) do
        if gone[name] or (alone == '1' and name ~= model) then return false end
      end
    end
  end
  redis.call('SET', load_key, id .. '\\n' .. alone .. '\\n' .. model .. '\\n' .. out, 'PX', ${loadLeaseMs})
  return true
end

local function keep_models(models_key, names)
  if names == '' then
    redis.call('HDEL', models_key, id)
  else
    redis.call('HSET', models_key, id, names)
    redis.call('PEXPIRE', models_key, 60000)
  end
end
`

const own = `
local now = now_ms()
local id = ARGV[1]
local function lives(other)
  local beat = redis.call('ZSCORE', KEYS[2], other)
  return beat and tonumber(beat) >= now - ARGV[2]
end
${modelsLua}`

/** KEYS epoch, alive, models, load. ARGV id, gone after ms, model, 1 where it is alone, whom it puts out. True where it may begin, or go on. */
export const beginLoadScript = new Script(
  'load_begin',
  `${own}
if not is_settled(now) then return not_settled end
return begin_load(KEYS[3], KEYS[4], ARGV[3], ARGV[4], ARGV[5]) and 1 or 0
`,
  (reply) => reply === 1,
)

/** KEYS epoch, load. ARGV id. */
export const endLoadScript = new Script(
  'load_end',
  `
local row = redis.call('GET', KEYS[2])
if row and string.match(row, '^[^\\n]*') == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1
`,
  () => {},
)
