-- The head of every script: reads the queue and advances its time. loss_detection.lua notices a loss and
-- ends a doubt.
--
-- The scripts are `domain::queue::QueueState` in Lua, step by step; its documentation explains each
-- part. Keys and arguments are those of keys.rs and queue_scripts.rs, in the same order. Numbers
-- are integers below 2^53, which Lua represents exactly. Times are microseconds of the queue's own
-- time. A user is eight bytes, big-endian.

local K_QUEUE, K_HOLDERS, K_USERS, K_ABANDONED = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local K_SKIPPED, K_FOUND, K_LATE, K_RECALLED = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local K_CALLS, K_USED, K_SESSIONS, K_INSIDE = KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local K_RELEASED, K_CHANGES, K_NODES = KEYS[13], KEYS[14], KEYS[15]

-- The server process, and how the node came to it: `handed` over by the previous one, or otherwise.
local process, arrival = ARGV[1], ARGV[2]
-- What the node knows: see `domain::queue::Witness`.
local node = ARGV[3]
local witness = {
  last = tonumber(ARGV[4]), serving = tonumber(ARGV[5]), generation = tonumber(ARGV[6]),
  replayed = tonumber(ARGV[7]), version = tonumber(ARGV[8]), seen = tonumber(ARGV[9]),
  time = tonumber(ARGV[10]),
  calls_from = tonumber(ARGV[11]), needs_checkpoint = ARGV[12] == '1',
}
local batch, cost = tonumber(ARGV[13]), tonumber(ARGV[14])
local max_active, claim_within = tonumber(ARGV[15]), tonumber(ARGV[16])
local session_ttl, max_waiting = tonumber(ARGV[17]), tonumber(ARGV[18])
local recovery = tonumber(ARGV[19])
-- The incarnations of the queue that the node knows: ascending, as `incarnation,incarnation`.
local witness_incarnations = ARGV[20]
local FIRST = 21 -- the first argument of the script itself

local SECOND = 1000000
-- `NodeRecord::TIMEOUT`, `NodeRecord::PROBATION`, `Doubt::PIECE`, `Doubt::LONGEST`.
local NODE_TIMEOUT, PROBATION = 5 * SECOND, SECOND
local REPLAY_PIECE, LONGEST_DOUBT = SECOND / 2, 6

-- An integer as text: several times faster than Redis's own conversion of a Lua number.
local function text(number)
  return string.format('%d', number)
end

-- The fields of the queue's hash:
--
-- - `doubt` is 1 while the store is in doubt; found_… are the values when its doubt began.
-- - `doubt_takeover` is 1 if the doubt began with a restart or failover of a store that had data.
-- - `standing` counts the numbers of open calls.
-- - `settled` is the generation a checkpoint was read for; cp_… hold it until it is applied.
-- - `registered` is 1 once the node registry has had a node.
-- - `expired` is the generation of the last doubt that began because keys had expired.
-- - `adopts_until` and `adopted`: until when a store without memory may adopt an incarnation that a
--   token shows, and whether it has.
-- - `raises` is how often a shown number has raised the queue; `raised_from` and `raised_to` are
--   what the last raises have skipped.
-- - `lives`, read separately, holds the incarnations whose tokens are accepted, as in
--   `witness_incarnations`.
local NAMES = {
  'last', 'serving', 'generation', 'version', 'skipped_at', 'time', 'clock', 'spent', 'unknown',
  'standing', 'doubt', 'doubt_lost', 'doubt_takeover', 'doubt_until', 'doubt_latest', 'found_last',
  'found_serving', 'found_generation', 'found_version', 'found_time', 'intact', 'settled', 'cp',
  'cp_last', 'cp_serving', 'cp_ceiling', 'freed', 'held',
  'registered', 'expired', 'adopts_until', 'adopted', 'raises', 'raised_from', 'raised_to',
}
local stored = redis.call('HMGET', K_QUEUE, 'process', 'lives', unpack(NAMES))
local is_empty, is_another = not stored[1], stored[1] ~= process
local incarnations = stored[2] or ''
if not are_incarnations(incarnations) then return foreign(K_QUEUE, 'the field lives') end
local q, read = {}, {}
for i, name in ipairs(NAMES) do
  local number = stored[i + 2] and tonumber(stored[i + 2]) or not stored[i + 2] and 0
  -- Earlier versions of the program let these two fall below zero.
  if number and number < 0 and (name == 'standing' or name == 'held') then number = 0 end
  if not number or not (number >= 0 and number <= HIGHEST) or number % 1 ~= 0 then
    return foreign(K_QUEUE, 'the field ' .. name)
  end
  read[name] = number
  q[name] = number
end
-- The latest moment that any stored time can have. Nodes remember the time of a queue that lost it.
local beyond = math.max(q.time, witness.time) + DAY
local odd = field_at_odds(q, beyond)
if odd then return foreign(K_QUEUE, 'the field ' .. odd) end
if q.last - q.serving > MOST_NUMBERS_WAITING
  and waits_beyond_all(q, redis.call('ZRANGE', K_SKIPPED, 0, -1)) then
  return foreign(K_QUEUE, 'the field last')
end
-- Ranges (from, to] of skipped numbers, in order, once they are read.
local skipped
if q.doubt == 0 and not is_empty then
  -- A range above the last number would skip waiting people as soon as the queue reaches it.
  skipped = {}
  local entries = redis.call('ZRANGE', K_SKIPPED, 0, -1, 'WITHSCORES')
  for i = 1, #entries, 2 do
    local from, to = skipped_in(entries[i], entries[i + 1], q.last)
    if not from then return foreign(K_SKIPPED, 'an entry') end
    skipped[#skipped + 1] = { from, to }
  end
end

-- The values before time advances. A witness is ahead of them only if something is lost.
local found = {
  last = q.last, serving = q.serving, generation = q.generation, version = q.version, time = q.time,
}

local clock = redis.call('TIME')
clock = clock[1] * SECOND + clock[2]
if is_empty or not IS_AT_LIMIT then
  if not is_empty then
    q.time = q.time + math.min(math.max(clock - q.clock, 0), SECOND)
  end
  -- Each join thus writes something, even one that finds an existing place. On Valkey, `WAIT` after
  -- a script without writes returns at once, whether or not replicas have the earlier writes.
  q.clock = clock
end
-- Higher values stem from a slower policy or from another program: no call owes more than one
-- batch, and no doubt ends later than one that begins now.
q.doubt_until = math.min(q.doubt_until, q.time + math.max(recovery, REPLAY_PIECE))
q.doubt_latest = math.min(q.doubt_latest, q.time + LONGEST_DOUBT * recovery)
q.spent = math.min(q.spent, q.time + math.ceil(batch * cost))

-- Counts outcomes of places, in separate fields: most steps have nothing to count and pay nothing.
local function count(name, times)
  if times > 0 then
    -- This fails if another program stored a value that is not a number. That must not end the step
    -- half done.
    redis.pcall('HINCRBY', K_QUEUE, name, text(times))
  end
end

-- Writes back the changed fields.
local function save()
  local changed = {}
  for i = 1, #NAMES do
    local name = NAMES[i]
    if q[name] ~= read[name] then
      changed[#changed + 1] = name
      changed[#changed + 1] = text(q[name])
    end
  end
  if is_another then
    changed[#changed + 1] = 'process'
    changed[#changed + 1] = process
  end
  if incarnations ~= (stored[2] or '') then
    changed[#changed + 1] = 'lives'
    changed[#changed + 1] = incarnations
  end
  if #changed > 0 then
    redis.call('HSET', K_QUEUE, unpack(changed))
  end
end

-- The log keeps this many changes; a node that missed more fetches the whole state.
local LOG = 10000

local function log(change)
  q.version = q.version + 1
  if string.sub(change, 1, 2) == 's:' then q.skipped_at = q.version end
  redis.call('RPUSH', K_CHANGES, change)
  if q.version % 1000 == 0 then
    redis.call('LTRIM', K_CHANGES, -LOG, -1)
  end
end

local function skipped_ranges()
  if not skipped then
    skipped = {}
    for _, range in ipairs(redis.call('ZRANGE', K_SKIPPED, 0, -1)) do
      local from, to = range_in(range)
      if from then skipped[#skipped + 1] = { from, to } end
    end
  end
  return skipped
end

local function write_skipped(ranges)
  redis.call('DEL', K_SKIPPED)
  for _, range in ipairs(ranges) do
    if range[1] < range[2] then
      redis.call('ZADD', K_SKIPPED, text(range[2]), string.format('%d:%d', range[1], range[2]))
    end
  end
  skipped = nil
end

local function is_skipped(number)
  for _, range in ipairs(skipped_ranges()) do
    if range[1] < number and number <= range[2] then
      return not redis.call('ZSCORE', K_FOUND, text(number))
    end
  end
  return false
end

-- Counts vacant numbers up to this one: abandoned ones above `serving`, and skipped ones.
local function vacant_up_to(number)
  local vacant = redis.call('ZCOUNT', K_ABANDONED, '1', text(number))
  local ranges = skipped_ranges()
  for _, range in ipairs(ranges) do
    vacant = vacant + math.max(0, math.min(range[2], number) - range[1])
  end
  if #ranges > 0 then
    vacant = vacant - redis.call('ZCOUNT', K_FOUND, '1', text(number))
  end
  return vacant
end

-- Opens calls of the numbers (from, to] until `ends`. Calls of abandoned numbers are used from the
-- start; skipped numbers are not called.
local function add_call(from, to, ends)
  if from < to then
    redis.call('ZADD', K_CALLS, text(to), string.format('%d:%d:%d', from, to, ends))
    q.standing = q.standing + to - from
  end
end

local function call_range(from, to, ends)
  local next = from
  for _, range in ipairs(skipped_ranges()) do
    local first, last = math.max(range[1], next), math.min(range[2], to)
    if first < last then
      add_call(next, first, ends)
      local members = redis.call('ZRANGEBYSCORE', K_FOUND, '(' .. text(first), text(last))
      for _, member in ipairs(members) do
        local number = whole(member)
        if number and first < number and number <= last then add_call(number - 1, number, ends) end
      end
      next = last
    end
  end
  add_call(next, to, ends)
  local abandoned = redis.call('ZRANGEBYSCORE', K_ABANDONED, '(' .. text(from), text(to))
  for first = 1, #abandoned, 1000 do
    local used = {}
    for i = first, math.min(first + 999, #abandoned) do
      local number = whole(abandoned[i])
      if number and from < number and number <= to then
        used[#used + 1] = abandoned[i]
        used[#used + 1] = abandoned[i]
      end
    end
    if #used > 0 then redis.call('ZADD', K_USED, unpack(used)) end
  end
  redis.call('ZREMRANGEBYSCORE', K_ABANDONED, '-inf', text(to))
end

-- Keeps generations and incarnations that two nodes begin at the same moment apart.
local apart = 1 + tonumber(string.sub(node, -3))

local function begin_doubt(is_lost, is_takeover)
  local now = q.time
  if q.doubt == 0 then
    q.doubt_lost, q.doubt_takeover = 0, is_takeover and 1 or 0
    for name, mark in pairs(found) do q['found_' .. name] = mark end
  end
  if is_lost then q.doubt_lost = 1 end
  q.doubt, q.doubt_until, q.doubt_latest = 1, now + recovery, now + LONGEST_DOUBT * recovery
  q.unknown = math.max(q.unknown, q.last)
  q.spent = math.max(q.spent, now + math.ceil(batch * cost))
  -- This generation must not equal a lost one, or its nodes would mistake it for theirs. The clock
  -- has advanced since the loss; if it was set back, `apart` makes the two nodes' generations
  -- differ.
  q.generation = math.max(q.generation, witness.generation, clock) + apart
  q.version = math.max(q.version, witness.version, witness.seen) + 1
  -- The log lacks what was lost: no node may treat it as complete.
  redis.call('DEL', K_CHANGES)
end

-- Opens calls of the numbers (from, serving] again from now on, since the ended ones are unknown.
local function call_again(from, serving, calls_from)
  -- The budget allows no more calls than these within the lifetime of a call.
  local most = (math.ceil(claim_within / (batch * cost)) + 1) * batch
  call_range(math.max(from, calls_from, serving - most), serving, q.time + claim_within)
end

local function raise_queue(last, serving, calls_from)
  q.unknown = math.max(q.unknown, last)
  if serving > q.serving then
    call_again(q.serving, serving, calls_from)
    q.serving = serving
  end
  q.last = math.max(q.last, last, q.serving)
end

-- Skips the numbers after the last one up to this one, none of which has a known holder.
local function skip_up_to(to)
  local from, ranges = q.last, skipped_ranges()
  ranges[#ranges + 1] = { from, to }
  write_skipped(ranges)
  q.last = to
  log(string.format('s:%d:%d', from, to))
end

local function apply_checkpoint()
  if q.cp == 0 then return end
  q.cp = 0
  if q.cp_serving > q.serving then
    -- The remaining budget is not known.
    q.spent = math.max(q.spent, q.time + math.ceil(batch * cost))
  end
  raise_queue(q.cp_last, q.cp_serving, 0)
  if q.intact == 0 and q.cp_ceiling > q.last then skip_up_to(q.cp_ceiling) end
end

-- The record of a node: when it registered, when it was last seen, the generation it has reported
-- in, and the generation for which it has replayed all it remembers.
local function record_of(name)
  local record = redis.call('HGET', K_NODES, name)
  if not record then return nil end
  local registered, seen, heard, replayed = string.match(record, '^(%d+):(%d+):(%d+):?(%d*)$')
  registered, seen, heard = whole(registered, beyond), whole(seen, beyond), whole(heard)
  if not registered or not seen or not heard then return nil end
  -- None has registered later than now.
  registered = math.min(registered, q.time)
  return { registered = registered, seen = seen, heard = heard, replayed = whole(replayed) or 0 }
end

local function put_record(name, record)
  local value = string.format(
    '%d:%d:%d:%d', record.registered, record.seen, record.heard, record.replayed
  )
  redis.call('HSET', K_NODES, name, value)
end

local function all_heard()
  local records = redis.call('HVALS', K_NODES)
  for _, record in ipairs(records) do
    local seen, heard = string.match(record, ':(%d+):(%d+)')
    seen = whole(seen, beyond)
    if seen and tonumber(heard) ~= q.generation and q.time < seen + NODE_TIMEOUT then
      return false
    end
  end
  return true
end

-- Users by number, in blocks: see numbers.lua.
local BLOCK, NOBODY = 256, string.rep('\0', 8)

local function block_of(number)
  return math.floor((number - 1) / BLOCK)
end
