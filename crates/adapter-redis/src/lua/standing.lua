-- Where a place stands. Arguments: the number, the user, the life of the queue.
-- Answers: its state (see places.lua), the end of the call or session, the time, version, last, serving.

return place_answer(known_place(tonumber(ARGV[FIRST]), ARGV[FIRST + 1], ARGV[FIRST + 2]))
