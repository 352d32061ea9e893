-- Refuses to begin if a key of the queue has another type: an error half way through a script would
-- leave half of its writes. Types are in the order of keys.rs.

local TYPES = {
  'hash', 'hash', 'hash', 'zset', 'zset', 'zset', 'zset', 'zset',
  'zset', 'zset', 'zset', 'hash', 'zset', 'list', 'hash',
}
local SIZES = { hash = 'HLEN', zset = 'ZCARD', list = 'LLEN' }

for i = 1, #TYPES do
  local size = redis.pcall(SIZES[TYPES[i]], KEYS[i])
  if type(size) == 'table' then
    return redis.error_reply(size.err .. ' (' .. KEYS[i] .. ')')
  end
end

