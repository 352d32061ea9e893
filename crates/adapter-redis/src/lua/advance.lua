-- Calls people where `calls` is 1, and reports the line and what changed since the version a node knows.
-- Arguments: calls, the version to report changes since, the lifetime of what is kept, in milliseconds.
-- Answers: generation, version, last, serving, now, called people, open calls, sessions, the number from which on calls
-- stand, whether the line recovers from a loss (1 or 0), how many calls were claimed, how many lapsed, how many places
-- were given back, how many sessions lasted to their end, then the changes since that version, oldest first. When they are
-- no longer kept, or the node knows another history: one `gap`, then the numbers given back while waiting, as changes, as
-- many as fit.

local calls, since, lifetime = ARGV[FIRST] == '1', tonumber(ARGV[FIRST + 1]), ARGV[FIRST + 2]

local called = 0
if calls then
  called = call_people()
end
expire()

-- Users are noted for numbers until those are passed by a sweep that goes round all of them, a few in each step.
local SWEEP = 100

local oldest = redis.call('ZRANGE', K_CALLS, 0, 0)[1]
local standing_from = oldest and tonumber(string.match(oldest, '%d+')) or serving
local cursor = redis.call('HGET', K_LINE, 'sweep') or '0'
local swept = redis.call('HSCAN', K_HOLDERS, cursor, 'COUNT', SWEEP)
for i = 1, #swept[2], 2 do
  local number = tonumber(swept[2][i + 1])
  if number <= standing_from and not redis.call('ZSCORE', K_SESSIONS, text(number)) then
    redis.call('HDEL', K_HOLDERS, swept[2][i])
  end
end
redis.call('HSET', K_LINE, 'sweep', swept[1])

save()
for i = 2, #KEYS do
  redis.call('PEXPIRE', KEYS[i], lifetime)
end

local open = standing - redis.call('ZCARD', K_USED)
local answer = { generation, version, last, serving, now, called, open, redis.call('ZCARD', K_SESSIONS),
  standing_from, now < hold and 1 or 0 }
local tally = redis.call('HMGET', K_LINE, 'claimed', 'lapsed', 'left', 'ended')
for i = 1, 4 do
  answer[#answer + 1] = tonumber(tally[i]) or 0
end
local missed = version - since
if missed > 0 or known_generation ~= generation then
  local is_followed = known_generation == generation and missed <= 5000
  local changes = is_followed and redis.call('LRANGE', K_CHANGES, -missed, -1) or {}
  if is_followed and #changes == missed then
    for i = 1, #changes do
      answer[#answer + 1] = changes[i]
    end
  else
    answer[#answer + 1] = 'gap'
    local left = redis.call('ZRANGEBYSCORE', K_LEFT, '-inf', '+inf', 'LIMIT', 0, 10000)
    for i = 1, #left do
      answer[#answer + 1] = 'l:' .. left[i]
    end
  end
end
return answer
