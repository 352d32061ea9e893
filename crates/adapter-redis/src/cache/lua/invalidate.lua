-- Remembers that a kind is invalidated now, for as long as a copy from before may be kept.

local time = redis.call('TIME')
redis.call('SET', KEYS[1], string.format('%d', time[1] * 1000000 + time[2]), 'PX', ARGV[1])
return false
