-- Ends lapsed calls and expired sessions, up to the limit of one step; later steps end the rest.

local MOST_ENDED, has_ended = 2500, false

-- Forgets that these users hold these numbers, which are not inside.
local function forget_holders(users, numbers)
  if #users == 0 then return end
  local held, gone = redis.call('HMGET', K_HOLDERS, unpack(users)), {}
  for i = 1, #users do
    if tonumber(held[i]) == numbers[i] then gone[#gone + 1] = users[i] end
  end
  if #gone > 0 then redis.call('HDEL', K_HOLDERS, unpack(gone)) end
end

local function end_calls(from, to)
  local lapsed = to - from - redis.call('ZREMRANGEBYSCORE', K_USED, '(' .. text(from), text(to))
  count('lapsed', lapsed)
  note_turnover(claim_within, lapsed)
  for block = block_of(from + 1), block_of(to) do
    local kept = redis.call('HGET', K_USERS, text(block))
    if kept then
      local users, numbers, names = {}, {}, {}
      local first, last = math.max(from + 1, block * BLOCK + 1), math.min(to, (block + 1) * BLOCK)
      for number = first, last do
        local at = (number - 1) % BLOCK * 8
        local user = string.sub(kept, at + 1, at + 8)
        if #user == 8 and user ~= NOBODY then
          users[#users + 1], numbers[#numbers + 1], names[#names + 1] = user, number, text(number)
        end
      end
      if #names > 0 then
        local inside, outside, of = redis.call('HMGET', K_INSIDE, unpack(names)), {}, {}
        for i = 1, #names do
          if not inside[i] then outside[#outside + 1], of[#of + 1] = users[i], numbers[i] end
        end
        forget_holders(outside, of)
      end
      if (block + 1) * BLOCK <= to then redis.call('HDEL', K_USERS, text(block)) end
    end
  end
end

-- Removes up to `most` expired entries of a sorted set of ends; `ended` is called with the end and
-- the start of each.
local function take_ended(key, most, ended)
  local over = redis.call('ZRANGEBYSCORE', key, '0', text(now), 'WITHSCORES', 'LIMIT', 0, most)
  local taken = 0
  for first = 1, #over, 1000 do
    local names, numbers, at, users, of = {}, {}, {}, {}, {}
    for i = first, math.min(first + 998, #over - 1), 2 do
      local number, ends = whole(over[i], q.last), whole(over[i + 1])
      if number and ends then
        names[#names + 1], numbers[#numbers + 1], at[#at + 1] = over[i], number, ends
      end
    end
    if #names == 0 then break end
    taken = taken + #names
    local inside = redis.call('HMGET', K_INSIDE, unpack(names))
    for i = 1, #names do
      local ends = at[i]
      local since = inside[i] and whole(string.sub(inside[i], 9), ends)
      ended(ends, since or ends - session_ttl)
      if inside[i] then
        users[#users + 1], of[#of + 1] = string.sub(inside[i], 1, 8), numbers[i]
      end
    end
    redis.call('ZREM', key, unpack(names))
    redis.call('HDEL', K_INSIDE, unpack(names))
    forget_holders(users, of)
  end
  return taken
end

local function end_what_is_over()
  if has_ended then return end
  has_ended = true
  local most = MOST_ENDED
  while most > 0 do
    local oldest, from, to, ends = oldest_call()
    if oldest == false then break end
    if not oldest then
      -- The ranges were deleted, so it is unknown which calls lapsed.
      if q.standing ~= 0 then
        q.standing = 0
        redis.call('DEL', K_USED)
      end
      break
    end
    if ends > now then break end
    local upto = math.min(to, from + most)
    redis.call('ZREM', K_CALLS, oldest)
    if upto < to then
      redis.call('ZADD', K_CALLS, text(to), string.format('%d:%d:%d', upto, to, ends))
    end
    q.standing = math.max(q.standing - (upto - from), 0)
    most = most - (upto - from)
    end_calls(from, upto)
  end
  if most > 0 then
    local lapsed = take_ended(K_RECALLED, most, function() note_turnover(claim_within, 1) end)
    count('lapsed', lapsed)
    most = most - lapsed
  end
  if most > 0 then
    local ended = take_ended(K_SESSIONS, most, function(ends, since)
      note_turnover(ends - since, 1)
    end)
    count('ended', ended)
    most = most - ended
  end
  if most > 0 then
    local over = redis.call('ZRANGEBYSCORE', K_RELEASED, '-inf', text(now), 'LIMIT', 0, most)
    for first = 1, #over, 1000 do
      redis.call('ZREM', K_RELEASED, unpack(over, first, math.min(first + 999, #over)))
    end
  end
end

local function running()
  return redis.call('ZCOUNT', K_SESSIONS, '(' .. text(now), text(beyond))
end

-- Open calls: those of the ranges that were not used, and calls of passed numbers. Used numbers are
-- checked one by one if they are few, or more than there are calls. Otherwise unexpected values free
-- at most that many slots, and the next probe names the key.
local FEW, MOST_CHECKED = 100, 5000
local function open_calls()
  local used = redis.call('ZCOUNT', K_USED, '1', text(q.serving))
  if used > MOST_CHECKED and used > q.standing then
    used = 0
  elseif used <= FEW or used > q.standing then
    -- Each unexpected value would admit one more person.
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', K_USED, '1', text(q.serving))) do
      if not digits(member, q.serving) then used = used - 1 end
    end
  end
  return math.max(q.standing - used, 0) + redis.call('ZCARD', K_RECALLED)
end
