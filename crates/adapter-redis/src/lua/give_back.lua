-- Gives a place, call or session back. Arguments: the number, the user.
-- Answers: what the place was (see places.lua), 0, version, last, serving.

local number, user = tonumber(ARGV[FIRST]), ARGV[FIRST + 1]
local state = known(number, user)
if state == 'WAITING' then
  redis.call('ZADD', K_LEFT, number, text(number))
  log_change('l:' .. text(number))
elseif state == 'CALLED' then
  redis.call('ZADD', K_USED, number, text(number))
  log_change('e:' .. text(number))
elseif state == 'ACTIVE' then
  redis.call('ZREM', K_SESSIONS, text(number))
  -- A session may outlive the range its call was in, and a restored one has none.
  if call_of(number) then
    redis.call('ZADD', K_USED, number, text(number))
  end
  log_change('e:' .. text(number))
end
if state == 'WAITING' or state == 'CALLED' or state == 'ACTIVE' then
  count('left', 1)
  if tonumber(redis.call('HGET', K_HOLDERS, user)) == number then
    redis.call('HDEL', K_HOLDERS, user)
  end
end
save()
return { state, 0, version, last, serving }
