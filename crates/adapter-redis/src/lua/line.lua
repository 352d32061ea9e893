-- The head of every script: reads the line, moves its time, notices a loss and mends it.
-- The keys and arguments are those of keys.rs and scripts.rs, in their order.
--
-- Every number in here is a whole number below 2^53, which a Lua number holds exactly. Times are microseconds.

local K_LINE, K_HOLDERS, K_LEFT, K_CALLS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local K_USED, K_SESSIONS, K_CHANGES = KEYS[5], KEYS[6], KEYS[7]

-- Which server process this is, and how the node came to it: `first`, `handed` over by the one before, or after that was
-- `lost`.
local run, came = ARGV[1], ARGV[2]
local known_last, known_serving = tonumber(ARGV[3]), tonumber(ARGV[4])
local known_generation, known_version = tonumber(ARGV[5]), tonumber(ARGV[6])
local known_standing_from = tonumber(ARGV[7])
local batch, cost = tonumber(ARGV[8]), tonumber(ARGV[9])
local max_active, claim_within = tonumber(ARGV[10]), tonumber(ARGV[11])
local session_ttl, max_waiting = tonumber(ARGV[12]), tonumber(ARGV[13])
local recovery = tonumber(ARGV[14])
local FIRST = 15 -- the first argument of the script itself

-- A whole number as text: several times faster than what Redis makes of a Lua number.
local function text(number)
  return string.format('%d', number)
end

local NAMES = { 'last', 'serving', 'generation', 'version', 'offset', 'spent', 'hold', 'lost', 'standing', 'time' }
local stored = redis.call('HMGET', K_LINE, 'run', unpack(NAMES))
local read = {}
for i, name in ipairs(NAMES) do
  read[name] = tonumber(stored[i + 1]) or 0
end
local last, serving = read.last, read.serving
-- Counts losses; every node that sees it grow tells what it remembers.
local generation = read.generation
-- Counts changes of places, each of which is one entry of the log of changes.
local version = read.version
local time, offset = read.time, read.offset
-- The calling budget as one point in time: when all that was used will have been refilled.
local spent = read.spent
-- Nobody is called, and no new number is given, before this.
local hold = read.hold
-- Up to this number, holders may be unknown.
local lost = read.lost
-- Numbers in the ranges of calls that stand.
local standing = read.standing

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2] + offset
if now < time then
  -- The clock stepped back, or another machine's is behind: time goes on from where it was.
  offset = offset + time - now
  now = time
end

-- Numbers (from, to] are called until `ends`.
local function add_call(from, to, ends)
  redis.call('ZADD', K_CALLS, to, string.format('%d:%d:%d', from, to, ends))
  standing = standing + to - from
end

-- Another process than the one that last kept this line, after a restart or a failover, may lack what the first node that
-- comes to it does not know either; one that has nothing at all may have been such a replica. It is doubted once: all nodes
-- are heard then.
local is_another = stored[1] ~= run
local is_doubtful = is_another and came ~= 'handed' and (stored[1] or came == 'lost')

if is_doubtful or known_last > last or known_serving > serving or known_generation > generation or known_version > version then
  generation = math.max(generation, known_generation) + 1
  -- The log does not have what was lost: no node may take it to be whole.
  version = math.max(version, known_version) + 1
  redis.call('DEL', K_CHANGES)
  lost = math.max(lost, known_last, last)
  hold = now + recovery
  -- What was left of the budget is not known.
  spent = math.max(spent, now + math.ceil(batch * cost))
  if known_serving > serving then
    -- No more than the budget allows can have been called within the time a call stands.
    local most = batch * (claim_within / (batch * cost) + 1)
    local from = math.max(serving, known_standing_from, known_serving - math.ceil(most))
    if known_serving > from then
      add_call(from, known_serving, now + claim_within)
    end
    redis.call('ZREMRANGEBYSCORE', K_LEFT, '-inf', known_serving)
    serving = known_serving
  end
  last = math.max(last, known_last, serving)
end

-- Counts what has become of places, in fields of their own: most steps have nothing to count, and pay nothing for it.
local function count(name, times)
  if times > 0 then
    redis.call('HINCRBY', K_LINE, name, text(times))
  end
end

-- Writes back what has changed; the time always has.
local function save()
  local changed = { 'time', text(now) }
  local values = { last, serving, generation, version, offset, spent, hold, lost, standing }
  for i = 1, #values do
    if values[i] ~= read[NAMES[i]] then
      changed[#changed + 1] = NAMES[i]
      changed[#changed + 1] = text(values[i])
    end
  end
  if is_another then
    changed[#changed + 1] = 'run'
    changed[#changed + 1] = run
  end
  redis.call('HSET', K_LINE, unpack(changed))
end

-- The log keeps so many changes; a node that missed more asks for everything it needs anew.
local LOG = 10000

local function log_change(entry)
  version = version + 1
  redis.call('RPUSH', K_CHANGES, entry)
  if version % 1000 == 0 then
    redis.call('LTRIM', K_CHANGES, -LOG, -1)
  end
end
