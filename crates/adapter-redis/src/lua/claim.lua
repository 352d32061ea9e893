-- Turns a call into a session, or finds the session it was turned into. Arguments: the number, the user.
-- Answers: what the place is (see places.lua), the end of the session, version, last, serving.

local number, user = tonumber(ARGV[FIRST]), ARGV[FIRST + 1]
local state, ends = known(number, user)
if state == 'CALLED' then
  ends = now + session_ttl
  redis.call('ZADD', K_USED, number, text(number))
  redis.call('ZADD', K_SESSIONS, ends, text(number))
  redis.call('HSETNX', K_HOLDERS, user, text(number))
  log_change(string.format('c:%d:%d:%s', number, ends, user))
  count('claimed', 1)
  state = 'ACTIVE'
end
save()
return { state, ends, version, last, serving }
