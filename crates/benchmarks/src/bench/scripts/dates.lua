-- Reads the dates of a different concert with each request, as the next person who has a session.
local concerts = tonumber(os.getenv("CONCERTS"))
local people, turn, concert = {}, 0, 0
for token in io.lines(os.getenv("TOKENS")) do people[#people + 1] = token end
function request()
  turn = turn % #people + 1
  concert = (concert + 379) % concerts
  wrk.headers["waitingToken"] = people[turn]
  return wrk.format("GET", wrk.path .. "/" .. (concert + 1) .. "/date")
end

