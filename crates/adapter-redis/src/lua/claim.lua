-- Turns a call into a session, or finds the session it was turned into. Arguments: the number, the user.
-- Answers: what the place is (see places.lua), the end of the session, generation, version, last, serving.

local number, user = tonumber(ARGV[FIRST]), ARGV[FIRST + 1]
local state, ends = known(number, user)
if state == 'CALLED' then
  ends = now + session_ttl
  redis.call('ZADD', K_USED, number, number)
  redis.call('ZADD', K_SESSIONS, ends, number)
  redis.call('HSETNX', K_HOLDERS, user, number)
  log_change(string.format('c:%.0f:%.0f:%s', number, ends, user))
  state = 'ACTIVE'
end
save()
return { state, ends, generation, version, last, serving }
