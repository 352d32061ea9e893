-- A write that changes nothing and is refused whenever joins are. The server refuses it before it
-- begins if it is out of memory, cannot write its disk, is read-only or short of replicas, if a key
-- of the queue is not permitted, or while keys migrate to another server. key_types.lua finds a key
-- of the wrong type, and the end of this script an unexpected value; the error names the key.
--
-- Keys: those of the queue, and the probe's own. No arguments of its own. Answers 1.

-- Writes without effect, by commands that other scripts use too: they need the right to write the
-- key.
local TOUCH = {
  hash = function(key) return redis.pcall('HDEL', key, '') end,
  zset = function(key) return redis.pcall('ZREM', key, '') end,
  list = function(key) return redis.pcall('LTRIM', key, 0, -1) end,
}
local own = KEYS[#TYPES + 1]
for i = 1, #TYPES + 1 do
  local touched = TOUCH[TYPES[i] or 'hash'](KEYS[i])
  if type(touched) == 'table' and touched.err then
    return redis.error_reply(touched.err .. ' (' .. KEYS[i] .. ')')
  end
end

local queue = {}
do
  local fields = redis.call('HGETALL', KEYS[1])
  for i = 1, #fields, 2 do
    local name, number = fields[i], whole(fields[i + 1])
    -- Texts: the server process that wrote last, and the incarnations of the queue.
    if name == 'lives' then
      if not are_incarnations(fields[i + 1]) then return foreign(KEYS[1], 'the field lives') end
    elseif name ~= 'process' then
      if not number and not string.find(fields[i + 1], '^%-%d+$') then
        return foreign(KEYS[1], 'the field ' .. name)
      end
      -- As in begin.lua.
      if not number and name ~= 'standing' and name ~= 'held' then
        return foreign(KEYS[1], 'the field ' .. name)
      end
      queue[name] = number
    end
  end
end
-- A queue that lost its counters, or is in doubt, does not know yet how far it had come.
local is_sure = queue.last and queue.doubt ~= 1
local last, time = queue.last or 0, queue.time or 0
local beyond = is_sure and time + DAY or HIGHEST
local odd = field_at_odds(queue, beyond)
if odd then return foreign(KEYS[1], 'the field ' .. odd) end
if waits_beyond_all(queue, redis.call('ZRANGE', KEYS[5], 0, -1)) then
  return foreign(KEYS[1], 'the field last')
end
if not is_sure then last = HIGHEST_NUMBER end

-- Whether this queue can have written a member with its score, or a field with its value; by key.
local function numbered(member, score)
  local number = digits(member, last)
  return number and number > 0 and number == whole(score)
end
local function timed(member, score)
  return digits(member, last) and whole(score, beyond)
end
local CHECKS = {
  [2] = function(user, number) return #user == 8 and digits(number, last) end,
  [3] = function(block, users)
    return digits(block, math.floor(last / 256)) and #users % 8 == 0 and #users <= 2048
  end,
  [4] = numbered,
  [5] = function(range, score)
    return skipped_in(range, score, last)
  end,
  [6] = numbered,
  [7] = numbered,
  [8] = timed,
  [9] = function(range, score)
    local _, to, ends = range_in(range)
    return ends and ends <= beyond and to == whole(score, last)
  end,
  [10] = numbered,
  [11] = timed,
  [12] = function(number, value)
    return digits(number, last) and #value >= 8
      and (#value == 8 or whole(string.sub(value, 9), beyond))
  end,
  [13] = timed,
  [15] = function(_, record)
    local registered, seen = string.match(record, '^(%d+):(%d+):%d+:?%d*$')
    return whole(registered, beyond) and whole(seen, beyond)
  end,
}

-- Each probe checks the next piece of each key, and both ends of a sorted set.
local PIECE = 100
-- Entries of `users` are long.
local PIECES = { [3] = 10 }

local function is_own(i, entries)
  for at = 1, #entries, 2 do
    if not CHECKS[i](entries[at], entries[at + 1]) then return false end
  end
  return true
end

local cursors, changed = {}, {}
do
  local kept = redis.call('HGETALL', own)
  for at = 1, #kept, 2 do cursors[kept[at]] = kept[at + 1] end
end
for i = 2, #TYPES do
  local key, kind, name = KEYS[i], TYPES[i], 'at' .. i
  if kind == 'list' then
    for _, change in ipairs(redis.call('LRANGE', key, -PIECE, -1)) do
      local is_change = string.find(change, '^[arf]:%d+$') or string.find(change, '^s:%d+:%d+$')
        or string.find(change, '^c:%d+:%d+:') and #string.gsub(change, '^c:%d+:%d+:', '') == 8
      if not is_change then return foreign(key, 'an entry') end
    end
  else
    local cursor = whole(cursors[name]) and cursors[name] or '0'
    local scan = kind == 'hash' and 'HSCAN' or 'ZSCAN'
    local page = redis.call(scan, key, cursor, 'COUNT', PIECES[i] or PIECE)
    local is_all_own = is_own(i, page[2])
    if kind == 'zset' and is_all_own then
      is_all_own = is_own(i, redis.call('ZRANGE', key, 0, 0, 'WITHSCORES'))
        and is_own(i, redis.call('ZRANGE', key, -1, -1, 'WITHSCORES'))
    end
    if not is_all_own then return foreign(key, 'an entry') end
    if page[1] ~= cursor then changed[#changed + 1], changed[#changed + 2] = name, page[1] end
  end
end
redis.call('HSET', own, 'probed', '1', unpack(changed))
redis.call('PEXPIRE', own, 60000)
return 1
