-- Stores a value, unless a copy with the same or a later stamp is there, and ends the lease of its
-- holder.
--
-- Arguments after those of entry.lua: the stamp, the lifetime in milliseconds, and the value.
--
-- Answers the stored value if it stays; nothing if the new one is stored.

local own, keep_for, value = tonumber(ARGV[FIRST]), ARGV[FIRST + 1], ARGV[FIRST + 2]

local stays = false
local size = redis.pcall('STRLEN', COPY)
if type(size) == 'number' and size <= LONGEST then
  local stamp = stamp_in(redis.call('GETRANGE', COPY, 0, 35))
  stays = stamp and stamp >= own and redis.call('GET', COPY)
end

if not stays then
  redis.call('SET', COPY, value, 'PX', keep_for)
end
release_lease()
return stays
