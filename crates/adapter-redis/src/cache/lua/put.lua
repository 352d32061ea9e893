-- Keeps a value, unless a copy with the same or a later stamp is there, and ends the lease of its holder.
-- Answers the value that stays; nothing when this one is kept.

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
give_back()
return stays
