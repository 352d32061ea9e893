-- Gives each user of a batch a number, or finds the one they hold, then calls people.
-- Arguments: the ceiling, then the users as one text, with a comma between them: one argument each would cost the node that
-- asks several times as much.
-- Answers: last, serving, then what the users were given, in their order, as runs of users who were given
-- the like: how many, the number of the first (0: the line is full, -1: above the ceiling, -2: the line recovers; then
-- for all of them, else each the next), whether they held it before (1 or 0), and the end of their call (above 0) or session
-- (below 0; 0 while waiting).

local ceiling = tonumber(ARGV[FIRST])
local users = {}
for user in string.gmatch(ARGV[FIRST + 1], '%d+') do
  users[#users + 1] = user
end
local numbers, rejoined, given = {}, {}, {}
local CHUNK = 1000

for from = 1, #users, CHUNK do
  local to = math.min(from + CHUNK - 1, #users)
  local held = redis.call('HMGET', K_HOLDERS, unpack(users, from, to))
  local fresh = {}
  for i = from, to do
    local user = users[i]
    local number = given[user] or tonumber(held[i - from + 1])
    if number and (given[user] or state_of(number) ~= 'GONE') then
      rejoined[i] = 1
    elseif now < hold then
      -- They may have a number that a node still remembers.
      number, rejoined[i] = -2, 0
    elseif last - serving >= max_waiting then
      number, rejoined[i] = 0, 0
    elseif last >= ceiling then
      number, rejoined[i] = -1, 0
    else
      last = last + 1
      number, rejoined[i] = last, 0
      given[user] = number
      fresh[#fresh + 1] = user
      fresh[#fresh + 1] = text(number)
    end
    numbers[i] = number
  end
  if #fresh > 0 then
    redis.call('HSET', K_HOLDERS, unpack(fresh))
  end
end

call_people()
save()

local answer = { last, serving }
local run -- where in the answer the run is that may go on
for i = 1, #users do
  local number, ends = numbers[i], 0
  if number > 0 and number <= serving then
    local state, at = state_of(number)
    ends = state == 'ACTIVE' and -at or at
  end
  local expected = run and (number > 0 and answer[run + 1] + answer[run] or answer[run + 1])
  if run and number == expected and rejoined[i] == answer[run + 2] and ends == answer[run + 3] then
    answer[run] = answer[run] + 1
  else
    run = #answer + 1
    answer[run], answer[run + 1], answer[run + 2], answer[run + 3] = 1, number, rejoined[i], ends
  end
end
return answer
