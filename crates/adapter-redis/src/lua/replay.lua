-- Applies what a node remembers of a queue that was lost. Idempotent. Changes are logged, so that
-- each node follows what the others knew.
--
-- Arguments: the generation it is for; released and abandoned numbers, each as `n,…`; skipped
-- ranges as `from:to,…`; sessions as records of number, end and user, eight bytes each; and holders
-- by blocks of numbers, ascending: the block (eight bytes), its number of holders less one (a
-- byte), their offsets (a byte each, from 0), their users (eight bytes each).
--
-- Answers 1 when it was applied, 0 when the store was lost again meanwhile.

local function integer(packed, at)
  return (struct.unpack('>I8', packed, at))
end

local function restore_released(number)
  restore_found(number)
  local user = owner_of(number)
  -- A node that has not seen the release may still replay the session, which ends by then.
  bar(number)
  local was_seated = unseat(number) ~= nil
  local was_late = forget_late(number)
  local was_called = use_up(number)
  if was_seated or was_late or was_called then
    if user then forget_holder(user, number) end
    log('r:' .. text(number))
  end
end

local function restore_abandoned(number)
  -- It was called meanwhile.
  if number <= q.serving then return restore_released(number) end
  restore_found(number)
  if number <= q.last and redis.call('ZADD', K_ABANDONED, text(number), text(number)) == 1 then
    local user = owner_of(number)
    if user then forget_holder(user, number) end
    log('a:' .. text(number))
  end
end

local function note_holder(user, number)
  local held = whole(redis.call('HGET', K_HOLDERS, user), q.last)
  if not held or held < number then redis.call('HSET', K_HOLDERS, user, text(number)) end
end

local function restore_session(number, ends, user)
  -- The node computes the remaining time from its last refresh, and the session may have begun
  -- since.
  ends = math.min(ends, now + session_ttl)
  local owner = owner_of(number)
  local is_known = redis.call('HEXISTS', K_INSIDE, text(number)) == 1
    or redis.call('ZSCORE', K_RELEASED, text(number))
    or redis.call('ZSCORE', K_USED, text(number))
  if number > q.serving or ends <= now or owner and owner ~= user or is_known then return end
  restore_found(number)
  use_up(number)
  note_holder(user, number)
  if has_room() then
    redis.call('ZADD', K_SESSIONS, text(ends), text(number))
    redis.call('HSET', K_INSIDE, text(number), user .. text(math.max(ends - session_ttl, 0)))
    log(string.format('c:%d:%d:', number, ends) .. user)
  else
    -- The node comes late, and its slot may be taken: this number is called before all others.
    redis.call('ZADD', K_LATE, text(number), text(number))
    redis.call('HSET', K_INSIDE, text(number), user)
  end
end

-- The numbers of a range whose users the store knows.
local function known_in(from, to)
  local numbers, seen = {}, {}
  local function add(number)
    if number > from and number <= to and not seen[number] then
      seen[number] = true
      numbers[#numbers + 1] = number
    end
  end
  local blocks = redis.call('HKEYS', K_USERS)
  for _, field in ipairs(blocks) do
    local block = whole(field)
    if block and (block + 1) * BLOCK > from and block * BLOCK < to then
      local users = redis.call('HGET', K_USERS, field)
      for at = 1, #users - 7, 8 do
        if string.sub(users, at, at + 7) ~= NOBODY then add(block * BLOCK + (at + 7) / 8) end
      end
    end
  end
  for _, name in ipairs(redis.call('HKEYS', K_INSIDE)) do add(whole(name) or 0) end
  return numbers
end

-- Restores a skipped range. Numbers that the store knows something about stay as they are.
local function restore_skipped(from, to)
  to = math.min(to, q.last)
  if from >= to then return end
  local known_numbers, unseen = known_in(from, to), 0
  for _, number in ipairs(known_numbers) do
    local is_vacant = is_skipped(number) or redis.call('ZSCORE', K_ABANDONED, text(number))
    if not is_vacant and not redis.call('ZSCORE', K_FOUND, text(number)) then
      unseen = unseen + 1
    end
  end
  local vacant = vacant_up_to(to) - vacant_up_to(from)
  local found = redis.call('ZCOUNT', K_FOUND, '(' .. text(from), text(to))
  local abandoned = redis.call('ZRANGEBYSCORE', K_ABANDONED, '(' .. text(from), text(to))
  for _, number in ipairs(abandoned) do
    if redis.call('ZSCORE', K_FOUND, number) then found = found - 1 end
  end
  if vacant + found + unseen == to - from then return end
  local ranges, merged = {}, { from, to }
  for _, range in ipairs(skipped_ranges()) do
    if range[2] < from or range[1] > to then
      ranges[#ranges + 1] = range
    else
      merged = { math.min(merged[1], range[1]), math.max(merged[2], range[2]) }
    end
  end
  ranges[#ranges + 1] = merged
  write_skipped(ranges)
  -- An abandoned number stays a separate entry, so that it is counted once.
  for _, number in ipairs(abandoned) do
    if digits(number) then redis.call('ZADD', K_FOUND, number, number) end
  end
  log(string.format('s:%d:%d', from, to))
  for _, number in ipairs(redis.call('ZRANGEBYSCORE', K_FOUND, '(' .. text(from), text(to))) do
    if digits(number) and not redis.call('ZSCORE', K_ABANDONED, number) then log('f:' .. number) end
  end
  for _, number in ipairs(known_numbers) do restore_found(number) end
end

local ZEROS = string.rep('\0', BLOCK * 8)

-- Restores waiting holders that the store does not know, by far the most: one block of numbers at a
-- time. `at` are their offsets in the block, ascending from 0; `users` are theirs.
local function restore_waiting(block, at, users)
  local kept = redis.call('HGET', K_USERS, text(block)) or ''
  kept = kept .. string.sub(ZEROS, #kept + 1)
  local parts, done, names, numbers = {}, 0, {}, {}
  for i = 1, #at do
    local place = at[i] * 8
    if string.sub(kept, place + 1, place + 8) == NOBODY then
      if place > done then parts[#parts + 1] = string.sub(kept, done + 1, place) end
      parts[#parts + 1] = users[i]
      done = place + 8
      names[#names + 1], numbers[#numbers + 1] = users[i], block * BLOCK + at[i] + 1
    end
  end
  if #names == 0 then return end
  parts[#parts + 1] = string.sub(kept, done + 1)
  redis.call('HSET', K_USERS, text(block), table.concat(parts))
  local held, holders = redis.call('HMGET', K_HOLDERS, unpack(names)), {}
  for i = 1, #names do
    -- A user's places follow each other in time, so they hold the highest number.
    if (whole(held[i], q.last) or 0) < numbers[i] then
      holders[#holders + 1] = names[i]
      holders[#holders + 1] = text(numbers[i])
    end
  end
  if #holders > 0 then redis.call('HSET', K_HOLDERS, unpack(holders)) end
end

local function restore_called_or_skipped(number, user)
  if number > q.last or owner_of(number) or not may_be_anybodys(number)
    or state_of(number) == 'GONE' then
    return
  end
  adopt(number, user)
  note_holder(user, number)
end

local function restore_holders(packed)
  local from = 1
  while from <= #packed do
    local block, count = integer(packed, from), string.byte(packed, from + 8) + 1
    local offsets = { string.byte(packed, from + 9, from + 8 + count) }
    local first_user = from + 9 + count
    from = first_user + count * 8
    local abandoned = {}
    local first, last = block * BLOCK + 1, (block + 1) * BLOCK
    for _, number in ipairs(redis.call('ZRANGEBYSCORE', K_ABANDONED, text(first), text(last))) do
      abandoned[whole(number) or 0] = true
    end
    local at, users = {}, {}
    for i = 1, count do
      local number = first + offsets[i]
      local user = string.sub(packed, first_user + i * 8 - 8, first_user + i * 8 - 1)
      if number <= q.serving or number > q.unknown or is_skipped(number) then
        restore_called_or_skipped(number, user)
      elseif not abandoned[number] then
        at[#at + 1], users[#users + 1] = offsets[i], user
      end
    end
    if #at > 0 then restore_waiting(block, at, users) end
  end
end

local is_current = tonumber(ARGV[FIRST]) == q.generation
if is_current then
  if q.doubt == 1 then
    local extended = math.max(q.doubt_until, now + REPLAY_PIECE)
    q.doubt_until = math.min(extended, math.max(q.doubt_latest, q.doubt_until))
  end
  for number in string.gmatch(ARGV[FIRST + 1], '%d+') do restore_released(tonumber(number)) end
  for from, to in string.gmatch(ARGV[FIRST + 3], '(%d+):(%d+)') do
    restore_skipped(tonumber(from), tonumber(to))
  end
  for number in string.gmatch(ARGV[FIRST + 2], '%d+') do restore_abandoned(tonumber(number)) end
  local sessions = ARGV[FIRST + 4]
  for at = 1, #sessions, 24 do
    local number, ends = integer(sessions, at), integer(sessions, at + 8)
    restore_session(number, ends, string.sub(sessions, at + 16, at + 23))
  end
  restore_holders(ARGV[FIRST + 5])
end
save()
return { is_current and 1 or 0 }
