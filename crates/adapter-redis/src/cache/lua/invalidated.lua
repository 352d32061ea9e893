-- How many microseconds ago a kind was invalidated; nothing when that is not known.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if redis.call('EXISTS', KEYS[1]) == 0 then
  return false
end
local text = redis.pcall('GET', KEYS[1])
local at = type(text) == 'string' and tonumber(text)
if not at then
  -- Somebody overwrote it, so there was something: better now than never.
  at = now
  redis.call('SET', KEYS[1], string.format('%d', now), 'PX', ARGV[1])
end
return math.max(0, now - at)
