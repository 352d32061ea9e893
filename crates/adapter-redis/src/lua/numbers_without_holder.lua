-- Numbers lost with a store: they have no holder after a takeover.

-- Whether all nodes that were live at the loss, and at least one, have replayed what they remember.
local function all_replayed()
  local is_any = false
  for _, record in ipairs(redis.call('HVALS', K_NODES)) do
    local seen, replayed = string.match(record, ':(%d+):%d+:?(%d*)')
    seen = whole(seen, beyond)
    if seen and q.found_time < seen + NODE_TIMEOUT then
      is_any = true
      if tonumber(replayed) ~= q.generation then return false end
    end
  end
  return is_any
end

-- The numbers (from, to] without a known holder that wait or are called.
local function without_holder_in(from, to)
  local numbers = {}
  for block = block_of(from + 1), block_of(to) do
    local users = redis.call('HGET', K_USERS, text(block)) or ''
    local names, of = {}, {}
    for number = math.max(from, block * BLOCK) + 1, math.min(to, (block + 1) * BLOCK) do
      local at = (number - 1) % BLOCK * 8
      local user = string.sub(users, at + 1, at + 8)
      if #user < 8 or user == NOBODY then
        names[#names + 1], of[#of + 1] = text(number), number
      end
    end
    if #names > 0 then
      local abandoned = redis.call('ZMSCORE', K_ABANDONED, unpack(names))
      local used = redis.call('ZMSCORE', K_USED, unpack(names))
      local inside = redis.call('HMGET', K_INSIDE, unpack(names))
      for i = 1, #of do
        if not abandoned[i] and not used[i] and not inside[i] and not is_skipped(of[i]) then
          numbers[#numbers + 1] = of[i]
        end
      end
    end
  end
  return numbers
end

-- The number up to which calls are over.
local function stands_from()
  for _, range in ipairs(redis.call('ZRANGE', K_CALLS, 0, -1)) do
    local from, _, ends = range_in(range)
    if ends and ends > q.time and ends <= beyond then return from end
  end
  return q.serving
end

-- Limits of one recovery: this many of the newest numbers without a holder are checked, and skipped in this
-- many ranges.
local MOST_UNHELD, MOST_UNHELD_RANGES = 50000, 100

-- After a takeover by another process, skips the numbers without a holder above those the store
-- had: a join whose answer was lost leaves such a number.
local function skip_numbers_without_holder()
  local from = math.max(q.found_last, q.last - MOST_UNHELD, stands_from())
  if q.doubt_takeover == 0 or from >= q.last or not all_replayed() then return end
  local found_ranges, used = {}, {}
  for _, number in ipairs(without_holder_in(from, q.last)) do
    local range = found_ranges[#found_ranges]
    if range and range[2] + 1 == number then
      range[2] = number
    elseif #found_ranges == MOST_UNHELD_RANGES then
      break
    else
      found_ranges[#found_ranges + 1] = { number - 1, number }
    end
    if number <= q.serving then
      used[#used + 1], used[#used + 2] = text(number), text(number)
    end
  end
  if #found_ranges == 0 then return end
  for first = 1, #used, 1000 do
    redis.call('ZADD', K_USED, unpack(used, first, math.min(first + 999, #used)))
  end
  local ranges = skipped_ranges()
  for _, range in ipairs(found_ranges) do ranges[#ranges + 1] = range end
  table.sort(ranges, function(one, other) return one[1] < other[1] end)
  write_skipped(ranges)
  for _, range in ipairs(found_ranges) do log(string.format('s:%d:%d', range[1], range[2])) end
end
