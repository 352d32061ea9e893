-- The state of one place.

-- The end of the call that covers this number, if it is open and not used; false if entries of
-- another program hide it.
local function call_of(number)
  local from, to, ends
  for i = 0, MOST_FOREIGN do
    local range = redis.call('ZRANGEBYSCORE', K_CALLS, text(number), '+inf', 'LIMIT', i, 1)[1]
    if not range then return nil end
    from, to, ends = range_in(range)
    if ends and ends <= beyond then break end
    ends = nil
  end
  if not ends then return false end
  if number <= from or number > to or ends <= now then return nil end
  if redis.call('ZSCORE', K_USED, text(number)) then return nil end
  return ends
end

local function end_in(key, number)
  local ends = whole(redis.call('ZSCORE', key, text(number)), beyond)
  return ends and ends > now and ends or nil
end

-- WAITING, CALLED with its end, ACTIVE with its end, or GONE, whichever user holds the number.
local function state_of(number)
  if number > q.serving then
    if redis.call('ZSCORE', K_ABANDONED, text(number)) then return 'GONE', 0 end
    return 'WAITING', 0
  end
  local ends = end_in(K_SESSIONS, number)
  if ends then return 'ACTIVE', ends end
  ends = end_in(K_RECALLED, number)
  if not ends then
    ends = call_of(number)
    if ends == false then return 'NOTREADY', 0 end
  end
  if ends then return 'CALLED', ends end
  if redis.call('ZSCORE', K_LATE, text(number)) or is_skipped(number) then return 'WAITING', 0 end
  return 'GONE', 0
end

-- Whether a number without a known user was given, or may have been.
local function may_be_anybodys(number)
  return number <= q.unknown or is_skipped(number)
end

-- Marks a skipped number as found, since it was given after all. Returns whether it was skipped.
local function restore_found(number)
  if not is_skipped(number) then return false end
  redis.call('ZADD', K_FOUND, text(number), text(number))
  log('f:' .. text(number))
  return true
end

-- Records that this user holds this number.
local function adopt(number, user)
  local was_skipped = is_skipped(number)
  local is_late = was_skipped and q.serving >= number
  if is_late then
    redis.call('ZADD', K_LATE, text(number), text(number))
    redis.call('HSET', K_INSIDE, text(number), user)
  elseif not owner_of(number) then
    put_users(number, user)
  end
  redis.call('HSETNX', K_HOLDERS, user, text(number))
  restore_found(number)
end

-- The state of a place for this user. Besides the states above: UNKNOWN for a number never given;
-- FOREIGN for another user's number or one of an unaccepted incarnation; NOTREADY if a store in
-- doubt would have to refuse, since it may have lost the grounds for an acceptance.
local function place_state(number, user, incarnation)
  note_shown(number, incarnation)
  -- A checkpoint that may hold the incarnations was not read yet.
  if incarnations == '' then return 'NOTREADY', 0 end
  if not is_accepted(incarnation) then return q.doubt == 1 and 'NOTREADY' or 'FOREIGN', 0 end
  if number > q.last then return is_open() and 'UNKNOWN' or 'NOTREADY', 0 end
  local owner = owner_of(number)
  local is_theirs = owner == user or not owner and may_be_anybodys(number)
  if is_theirs and is_skipped(number) then adopt(number, user) end
  local state, ends = state_of(number)
  if q.doubt == 1 and (state == 'GONE' or not is_theirs) then return 'NOTREADY', 0 end
  if state ~= 'GONE' and not is_theirs then return 'FOREIGN', 0 end
  return state, ends
end

-- Uses up a call; returns whether it was open and unused.
local function use_up(number)
  return call_of(number) and redis.call('ZADD', K_USED, text(number), text(number)) == 1
end

-- Ends a session; returns since when its slot was held, if there was one.
local function unseat(number)
  local ends = whole(redis.call('ZSCORE', K_SESSIONS, text(number)))
  if not ends then return nil end
  local inside = redis.call('HGET', K_INSIDE, text(number))
  redis.call('ZREM', K_SESSIONS, text(number))
  redis.call('HDEL', K_INSIDE, text(number))
  return inside and whole(string.sub(inside, 9), ends) or ends - session_ttl
end

local function forget_late(number)
  local gone = redis.call('ZREM', K_LATE, text(number))
    + redis.call('ZREM', K_RECALLED, text(number))
  if gone > 0 then redis.call('HDEL', K_INSIDE, text(number)) end
  return gone > 0
end

-- Prevents any replay from restoring a session of this number.
local function bar(number)
  redis.call('ZADD', K_RELEASED, text(now + session_ttl), text(number))
end

-- Leaves a place that its user holds, in this state.
local function give_up(number, user, state, ends)
  if state == 'WAITING' and number > q.serving then
    redis.call('ZADD', K_ABANDONED, text(number), text(number))
    log('a:' .. text(number))
  elseif state == 'WAITING' then
    forget_late(number)
    log('r:' .. text(number))
  elseif state == 'CALLED' then
    note_turnover(claim_within - (ends - now), 1)
    if not forget_late(number) then use_up(number) end
    log('r:' .. text(number))
  elseif state == 'ACTIVE' then
    local since = unseat(number)
    if since then note_turnover(math.max(now - since, 0), 1) end
    -- A session may outlive the range its call was in, and a restored one has none.
    use_up(number)
    log('r:' .. text(number))
  end
  if number <= q.serving then bar(number) end
  forget_holder(user, number)
end

-- The number this user is known to hold, unless the place is gone.
local function held_by(user)
  local held = whole(redis.call('HGET', K_HOLDERS, user), q.last)
  if not held then return nil end
  local owner = owner_of(held)
  local is_theirs = owner == user or not owner and may_be_anybodys(held)
  return is_theirs and state_of(held) ~= 'GONE' and held or nil
end

-- If a user has two places, the older counts and the younger is left; returns the older.
local function keep_older(user, one, other)
  local older, younger = math.min(one, other), math.max(one, other)
  adopt(older, user)
  adopt(younger, user)
  give_up(younger, user, state_of(younger))
  redis.call('HSET', K_HOLDERS, user, text(older))
  return older
end

-- Whether there is a slot for one more session. Each open call has a slot, except calls that a
-- recovery opened again without knowing which were over.
local function has_room()
  return redis.call('ZCOUNT', K_SESSIONS, '(' .. text(now), text(beyond)) < max_active
end

-- The answer of every script about one place.
local function place_answer(state, ends)
  save()
  return { state, ends, now, q.version, witnessed_line() }
end
