-- Gives each user of a batch a number, or finds the one they hold, then calls people.
--
-- Arguments: the ceiling, the users, and what their tokens show, as `nth:number:incarnation,…`.
-- Users are one text: one argument each would cost the calling node several times as much.
--
-- Answers: last, serving, the time, the oldest incarnation of the queue, then the users' results in
-- order, as runs of users with consecutive results. A run is:
--
-- - its length;
-- - the first number, which the others continue; or one code for all: 0 if the queue is full, -1
--   above the ceiling, -2 not ready, -3 if the node's view is behind;
-- - whether they held it before (1 or 0);
-- - the end of their call (above 0) or session (below 0); 0 while waiting.

local FULL, ABOVE_CEILING, NOT_READY, VIEW_BEHIND = 0, -1, -2, -3
-- Maximum abandoned numbers that are not passed yet.
local MOST_ABANDONED = 1000000
local CHUNK = 1000

local ceiling, packed = tonumber(ARGV[FIRST]), ARGV[FIRST + 1]
local users, presented = {}, {}
for i = 1, #packed / 8 do
  users[i] = string.sub(packed, i * 8 - 7, i * 8)
end
for nth, number, incarnation in string.gmatch(ARGV[FIRST + 2], '(%d+):(%d+):(%d+)') do
  note_shown(tonumber(number), incarnation)
  if is_accepted(incarnation) then presented[tonumber(nth)] = tonumber(number) end
end

-- Why the next number cannot be given; nil if it can.
local people, first_given = 0, q.last + 1
local function why_none()
  if q.last >= ceiling then return ABOVE_CEILING end
  return people >= max_waiting and FULL or nil
end
do
  local record = record_of(node)
  local may_give = record and now >= record.registered + math.min(PROBATION, recovery)
  -- A node computes the position of a new number correctly only if it knows the skipped numbers
  -- below.
  local knows_skipped = witness.version >= q.skipped_at
  if not may_give or not has_replayed() or not is_open() then
    why_none = function() return NOT_READY end
  elseif not knows_skipped then
    why_none = function() return VIEW_BEHIND end
  elseif redis.call('ZCARD', K_ABANDONED) >= MOST_ABANDONED then
    why_none = function() return FULL end
  else
    people = q.last - q.serving - (vacant_up_to(q.last) - vacant_up_to(q.serving))
  end
end

local given, fresh_users = {}, {}

-- The user's place if their token shows another number than the store has for them.
local function place_by_token(user, held, shown)
  if shown > q.last then return held end
  local owner = owner_of(shown)
  local is_theirs = owner == user or not owner and may_be_anybodys(shown)
  if not is_theirs or state_of(shown) == 'GONE' then return held end
  if held and held ~= shown then return keep_older(user, held, shown) end
  adopt(shown, user)
  return shown
end

local numbers, rejoined = {}, {}
for from = 1, #users, CHUNK do
  local to = math.min(from + CHUNK - 1, #users)
  local held_by = redis.call('HMGET', K_HOLDERS, unpack(users, from, to))
  local fresh = {}
  for i = from, to do
    local user = users[i]
    local held = given[user] or whole(held_by[i - from + 1], q.last)
    if held and not given[user] and state_of(held) == 'GONE' then held = nil end
    if presented[i] and presented[i] ~= held and not given[user] then
      held = place_by_token(user, held, presented[i])
      given[user] = held
    end
    local refused = not held and why_none()
    if held then
      numbers[i], rejoined[i] = held, 1
    elseif refused then
      numbers[i], rejoined[i] = refused, 0
    else
      q.last, people = q.last + 1, people + 1
      numbers[i], rejoined[i] = q.last, 0
      given[user] = q.last
      fresh_users[#fresh_users + 1] = user
      fresh[#fresh + 1] = user
      fresh[#fresh + 1] = text(q.last)
    end
  end
  if #fresh > 0 then
    redis.call('HSET', K_HOLDERS, unpack(fresh))
  end
end
if #fresh_users > 0 then
  put_users(first_given, table.concat(fresh_users))
  count('joined', #fresh_users)
end

call_people()
save()

local last, serving = witnessed_line()
local answer = { last, serving, now, tonumber(string.match(incarnations, '^%d+')) or 0 }
local run -- the index in the answer of the current run
for i = 1, #users do
  local number, ends = numbers[i], 0
  if number > 0 and number <= q.serving then
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
