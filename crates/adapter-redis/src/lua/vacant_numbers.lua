-- One page of all vacant numbers.
--
-- Argument: the number after which the page begins.
--
-- Answers: the generation, the number of skipped ranges, of found numbers in them, and the maximum
-- of abandoned numbers; then the ranges as `from:to`, the found numbers, and the abandoned ones of
-- this page. Ranges and found numbers are in each page, since they are few.

local PAGE = 5000
local after = ARGV[FIRST]
save()
-- Only the members that this queue can have written.
local function own(members, is_own)
  local kept = {}
  for i = 1, #members do
    if is_own(members[i]) then kept[#kept + 1] = members[i] end
  end
  return kept
end
local function is_range(member) return string.find(member, '^%d+:%d+$') and range_in(member) end
local ranges = own(redis.call('ZRANGE', K_SKIPPED, 0, -1), is_range)
local found = own(redis.call('ZRANGE', K_FOUND, 0, -1), digits)
local page = redis.call('ZRANGEBYSCORE', K_ABANDONED, '(' .. after, '+inf', 'LIMIT', 0, PAGE)
local abandoned = own(page, digits)
local is_full = #page == PAGE
local answer = { q.generation, #ranges, #found, is_full and #abandoned or PAGE }
for _, part in ipairs({ ranges, found, abandoned }) do
  for i = 1, #part do
    answer[#answer + 1] = part[i]
  end
end
return answer
