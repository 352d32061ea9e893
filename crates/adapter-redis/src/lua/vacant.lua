-- One page of all numbers that nobody waits behind. Argument: the number after which the page begins.
-- Answers: the generation, how many skipped ranges follow, how many of their numbers are found, how many abandoned numbers
-- follow at most; then the ranges as `from:to`, the found numbers, and the abandoned ones of this page. Ranges and found
-- numbers are in each page, since they are few.

local PAGE = 5000
local after = ARGV[FIRST]
save()
local ranges = redis.call('ZRANGE', K_SKIPPED, 0, -1)
local found = redis.call('ZRANGE', K_FOUND, 0, -1)
local abandoned = redis.call('ZRANGEBYSCORE', K_ABANDONED, '(' .. after, '+inf', 'LIMIT', 0, PAGE)
local answer = { q.generation, #ranges, #found, PAGE }
for _, part in ipairs({ ranges, found, abandoned }) do
  for i = 1, #part do
    answer[#answer + 1] = part[i]
  end
end
return answer
