-- What is known of one place.

-- The end of the call that covers this number, if it stands and was not used.
local function call_of(number)
  local range = redis.call('ZRANGEBYSCORE', K_CALLS, number, '+inf', 'LIMIT', 0, 1)[1]
  if not range then return nil end
  local from, _, ends = string.match(range, '(%d+):(%d+):(%d+)')
  if number <= tonumber(from) or tonumber(ends) <= now then return nil end
  if redis.call('ZSCORE', K_USED, text(number)) then return nil end
  return tonumber(ends)
end

-- The end of the session of this number, if it runs.
local function session_of(number)
  local ends = tonumber(redis.call('ZSCORE', K_SESSIONS, text(number)))
  return ends and ends > now and ends or nil
end

-- WAITING, CALLED with its end, ACTIVE with its end, or GONE; whoever holds it.
local function state_of(number)
  if number > serving then
    if redis.call('ZSCORE', K_LEFT, text(number)) then return 'GONE', 0 end
    return 'WAITING', 0
  end
  local ends = session_of(number)
  if ends then return 'ACTIVE', ends end
  ends = call_of(number)
  if ends then return 'CALLED', ends end
  return 'GONE', 0
end

-- The same for a place, which adds UNKNOWN for a number never given and FOREIGN for somebody else's. A number whose
-- holder was lost is held by whoever has a token for it.
local function known(number, user)
  if number > last then return 'UNKNOWN', 0 end
  local state, ends = state_of(number)
  if state ~= 'GONE' and tonumber(redis.call('HGET', K_HOLDERS, user)) ~= number and number > lost then
    return 'FOREIGN', 0
  end
  return state, ends
end
