-- Leaves a place, call or session. Arguments as in place_status.lua, and answers too, with the state
-- before.

local number, user = tonumber(ARGV[FIRST]), ARGV[FIRST + 1]
local state, ends = place_state(number, user, ARGV[FIRST + 2])
if state == 'WAITING' or state == 'CALLED' or state == 'ACTIVE' then
  give_up(number, user, state, ends)
  count('left', 1)
end
return place_answer(state, 0)
