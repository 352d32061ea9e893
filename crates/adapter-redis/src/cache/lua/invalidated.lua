-- Answers the time, and the stored invalidation of a kind: empty if there is none, `?` if the value
-- cannot be one of ours.

local time = redis.call('TIME')
local there = redis.pcall('GET', KEYS[1])
if type(there) ~= 'string' then
  there = redis.call('EXISTS', KEYS[1]) == 1 and '?' or ''
elseif #there > 100 then
  there = '?'
end
return { time[1] * 1000000 + time[2], there }
