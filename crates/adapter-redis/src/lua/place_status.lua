-- The state of a place. Arguments: the number, the user, the incarnation of the queue. Answers: the
-- state (see places.lua), the end of the call or session, the time, version, last, serving.

return place_answer(place_state(tonumber(ARGV[FIRST]), ARGV[FIRST + 1], ARGV[FIRST + 2]))
