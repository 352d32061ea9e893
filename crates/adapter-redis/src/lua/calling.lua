-- Calls people. A step calls a range of numbers in a constant number of commands, whatever its
-- size.

-- Maximum abandoned numbers that one step passes, which bounds its run time.
local MOST_PASSED = 20000

-- The end of the shortest range from the next number on that has `people` people in it, or the end
-- of the queue; and the number of people in it.
local function range_with(people)
  local before = vacant_up_to(q.serving)
  local function people_up_to(number)
    return number - q.serving - (vacant_up_to(number) - before)
  end
  local low, high = q.serving + people, q.last
  local all = people_up_to(high)
  if all < people then
    low, people = high, all
  end
  while low < high do
    local middle = math.floor((low + high) / 2)
    if people_up_to(middle) >= people then
      high = middle
    else
      low = middle + 1
    end
  end
  local passed = redis.call('ZRANGE', K_ABANDONED, MOST_PASSED, MOST_PASSED)[1]
  passed = whole(passed)
  if passed and q.serving < passed and passed < low then
    low = passed
    people = people_up_to(low)
  end
  return low, math.max(people, 0)
end

-- Whether every entry of the abandoned numbers in (from, to] is one of this queue.
local function has_own_abandoned(from, to)
  local entries = redis.call(
    'ZRANGEBYSCORE', K_ABANDONED, '(' .. text(from), text(to), 'WITHSCORES',
    'LIMIT', 0, MOST_PASSED + 1
  )
  if #entries > 2 * MOST_PASSED then return false end
  for i = 1, #entries, 2 do
    local number = digits(entries[i])
    if not number or number ~= whole(entries[i + 1]) then return false end
  end
  return true
end

-- Calls as many people as allowed now; returns how many.
local function call_people()
  -- People near the front still have time to show their tokens.
  if q.adopted == 1 then return 0 end
  if q.serving >= q.last and redis.call('ZCARD', K_LATE) == 0 or not is_open() then return 0 end
  local budget = batch - math.ceil(math.max(q.spent - now, 0) / cost)
  if budget < 1 then return 0 end
  end_what_is_over()
  local open = open_calls()
  local allowed = math.min(budget, max_active - open - running())
  if allowed < 1 then return 0 end
  local ends, called = now + claim_within, 0
  -- Found numbers that the queue has already passed.
  local late = redis.call('ZRANGE', K_LATE, 0, math.min(allowed, 1000) - 1)
  for i = 1, #late do
    if whole(late[i], q.serving) and redis.call('HEXISTS', K_INSIDE, late[i]) == 1 then
      redis.call('ZREM', K_LATE, late[i])
      redis.call('ZADD', K_RECALLED, text(ends), late[i])
      called = called + 1
    end
  end
  if called < allowed and q.serving < q.last then
    local to, people = range_with(allowed - called)
    if not has_own_abandoned(q.serving, to) then
      -- Entries of another program would call as many people more: as if no number were abandoned.
      to = math.min(q.serving + allowed - called, q.last)
      people = to - q.serving
    end
    call_range(q.serving, to, ends)
    q.serving = to
    called = called + people
  end
  q.spent = math.max(q.spent, now) + math.ceil(called * cost)
  return called
end
