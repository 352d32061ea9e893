-- Stores when a kind was invalidated, for as long as an earlier copy may be kept, unless the stored
-- value is not the one the caller has seen.
--
-- Arguments: the value the caller has seen, the value to write, its lifetime in milliseconds, and
-- whether to write it in any case. Answers whether it is written.

local there = redis.pcall('GET', KEYS[1])
if type(there) ~= 'string' then there = '' end
if there ~= ARGV[1] and ARGV[4] ~= '1' then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
