-- A write that costs nothing and is refused whenever joins are: the server refuses it before it
-- begins where it is out of memory, cannot write its disk, is read-only or short of replicas, where
-- a key of the queue is not permitted, and while keys are on the move to another server. It finds a
-- key of a foreign type, and names it. Keys are those of the queue, and one of its own.

-- Writes of nothing, by commands that other scripts use too: they want the type of the key and the
-- right to write to it.
local TOUCH = {
  hash = function(key) return redis.pcall('HDEL', key, '') end,
  zset = function(key) return redis.pcall('ZREM', key, '') end,
  list = function(key) return redis.pcall('LTRIM', key, 0, -1) end,
}
-- As in keys.rs.
local TYPES = {
  'hash', 'hash', 'hash', 'zset', 'zset', 'zset', 'zset', 'zset',
  'zset', 'zset', 'zset', 'hash', 'zset', 'list', 'hash',
}

for i, kind in ipairs(TYPES) do
  local touched = TOUCH[kind](KEYS[i])
  if type(touched) == 'table' and touched.err then
    return redis.error_reply(touched.err .. ' (' .. KEYS[i] .. ')')
  end
end
local own = KEYS[#KEYS]
redis.call('HSET', own, 'probed', '1')
redis.call('PEXPIRE', own, 60000)
return 1
