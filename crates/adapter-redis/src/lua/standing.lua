-- Where the holder of a place stands. Arguments: the number, the user.
-- Answers: what the place is (see places.lua), the end of the call or session, version, last, serving.

local state, ends = known(tonumber(ARGV[FIRST]), ARGV[FIRST + 1])
save()
return { state, ends, version, last, serving }
