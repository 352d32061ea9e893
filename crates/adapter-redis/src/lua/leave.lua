-- Leaves a place, call or session. Arguments and answers as in place_status.lua, with the state
-- before.

local number, user = tonumber(ARGV[FIRST]), ARGV[FIRST + 1]
local state, ends = place_state(number, user, ARGV[FIRST + 2])
if state == 'WAITING' or state == 'CALLED' or state == 'ACTIVE' then
  give_up(number, user, state, ends)
  count('left', 1)
end
return place_answer(state, 0)
