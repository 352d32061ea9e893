-- Gives a place, call or session up. Arguments as in standing.lua; answers likewise, what the place was.

local number, user = tonumber(ARGV[FIRST]), ARGV[FIRST + 1]
local state, ends = known_place(number, user, ARGV[FIRST + 2])
if state == 'WAITING' or state == 'CALLED' or state == 'ACTIVE' then
  give_up(number, user, state, ends)
  count('left', 1)
end
return place_answer(state, 0)
