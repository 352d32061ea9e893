-- Calling people. A step calls a range of numbers, whatever its size in a constant number of commands.

-- Ends calls that have lapsed and sessions that are over.
local function expire()
  while true do
    local oldest = redis.call('ZRANGE', K_CALLS, 0, 0)[1]
    if not oldest then
      -- Nothing stands. The ranges may have gone with their lifetime, after a day without any node; nobody has counted what
      -- lapsed meanwhile.
      standing = 0
      redis.call('DEL', K_USED)
      break
    end
    local from, to, ends = string.match(oldest, '(%d+):(%d+):(%d+)')
    if tonumber(ends) > now then break end
    redis.call('ZREM', K_CALLS, oldest)
    local used = redis.call('ZREMRANGEBYSCORE', K_USED, '(' .. from, to)
    standing = standing - (to - from)
    count('lapsed', to - from - used)
  end
  count('ended', redis.call('ZREMRANGEBYSCORE', K_SESSIONS, '-inf', now))
end

-- How many were given back while waiting, of the numbers from the next one to `to`.
local function left_up_to(to)
  return redis.call('ZCOUNT', K_LEFT, '-inf', to)
end

-- One step passes at most so many numbers that were given back, so that its length is bounded.
local MOST_PASSED = 20000

-- The end of the shortest range from the next number on that has `people` people in it, or the end of the line.
local function range_with(people)
  local low, high = serving + people, math.min(last, serving + people + MOST_PASSED)
  if low >= high then return high end
  while low < high do
    local middle = math.floor((low + high) / 2)
    if middle - serving - left_up_to(middle) >= people then
      high = middle
    else
      low = middle + 1
    end
  end
  return low
end

-- Numbers in (serving, to] that were given back while waiting are used up from the start.
local function mark_left_as_used(to)
  local left = redis.call('ZRANGEBYSCORE', K_LEFT, '-inf', to)
  for first = 1, #left, 1000 do
    local used = {}
    for i = first, math.min(first + 999, #left) do
      used[#used + 1] = left[i]
      used[#used + 1] = left[i]
    end
    redis.call('ZADD', K_USED, unpack(used))
  end
  redis.call('ZREMRANGEBYSCORE', K_LEFT, '-inf', to)
  return #left
end

-- Calls whoever may be called now; returns how many that were.
local function call_people()
  if serving >= last or now < hold then return 0 end
  local budget = batch - math.ceil(math.max(spent - now, 0) / cost)
  if budget < 1 then return 0 end
  expire()
  local inside = standing - redis.call('ZCARD', K_USED) + redis.call('ZCARD', K_SESSIONS)
  local people = math.min(budget, max_active - inside)
  if people < 1 then return 0 end
  local from, to = serving, range_with(people)
  add_call(from, to, now + claim_within)
  serving = to
  local called = to - from - mark_left_as_used(to)
  spent = math.max(spent, now) + math.ceil(called * cost)
  return called
end
