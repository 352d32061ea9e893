-- Turns a call into a session, or finds the session it became. Arguments and answers as in
-- place_status.lua.

local number, user = tonumber(ARGV[FIRST]), ARGV[FIRST + 1]
local state, ends = place_state(number, user, ARGV[FIRST + 2])
if q.doubt == 0 and (state == 'CALLED' or state == 'ACTIVE') then
  -- A user has at most one slot.
  local other = held_by(user)
  if other and other ~= number and keep_older(user, number, other) == other then
    state, ends = 'GONE', 0
  end
end
if state == 'CALLED' and (q.doubt == 1 or not has_room()) then
  state, ends = 'NOTREADY', 0
elseif state == 'CALLED' then
  local since = math.max(ends - claim_within, 0)
  ends = now + session_ttl
  use_up(number)
  redis.call('ZREM', K_RECALLED, text(number))
  redis.call('ZADD', K_SESSIONS, text(ends), text(number))
  redis.call('HSET', K_INSIDE, text(number), user .. text(since))
  redis.call('HSETNX', K_HOLDERS, user, text(number))
  log(string.format('c:%d:%d:', number, ends) .. user)
  count('claimed', 1)
  state = 'ACTIVE'
end
return place_answer(state, ends)
