-- Writes down when a kind was invalidated, for as long as a copy from before may be kept: unless something else is there than
-- the caller has seen.
-- Arguments: what the caller has seen, what to write, for how many milliseconds, and whether to write it whatever is there.
-- Answers whether it is written.

local there = redis.pcall('GET', KEYS[1])
if type(there) ~= 'string' then there = '' end
if there ~= ARGV[1] and ARGV[4] ~= '1' then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
