-- Gives each user of a batch a number, or finds the one they hold, then calls people.
-- Arguments: the ceiling, the users, and what tokens of theirs show, as `nth:number:life,…`. Users
-- are one text:
-- one argument each would cost the node that asks several times as much.
-- Answers: last, serving, the time, the oldest life of the queue, then what the users were given,
-- in their order, as runs of users who were given the like:
-- how many, the number of the first (0: the queue is full, -1: above the ceiling, -2: not ready,
-- -3: the node's view is behind; then for all of them, else
-- each the next), whether they held it before (1 or 0), and the end of their call (above 0) or session (below 0; 0 while
-- waiting).

local FULL, ABOVE_CEILING, NOT_READY, VIEW_BEHIND = 0, -1, -2, -3
-- Numbers that were abandoned and not passed yet, at most.
local MOST_ABANDONED = 1000000
local CHUNK = 1000

local ceiling, packed = tonumber(ARGV[FIRST]), ARGV[FIRST + 1]
local users, presented = {}, {}
for i = 1, #packed / 8 do
  users[i] = string.sub(packed, i * 8 - 7, i * 8)
end
for nth, number, life in string.gmatch(ARGV[FIRST + 2], '(%d+):(%d+):(%d+)') do
  note_shown(tonumber(number), life)
  if is_life(life) then presented[tonumber(nth)] = tonumber(number) end
end

-- Whether this node may give numbers, and why the next one is not given.
local people, first_given = 0, q.last + 1
local function why_none()
  if q.last >= ceiling then return ABOVE_CEILING end
  return people >= max_waiting and FULL or nil
end
do
  local record = record_of(node)
  local may_give = record and now >= record.registered + math.min(PROBATION, recovery)
  -- The position of a new number is below those skipped only for a node that knows of them.
  local knows_skipped = known.version >= q.skipped_at
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

-- The user's place where they show a token for another one than they are known to hold.
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
local answer = { last, serving, now, tonumber(string.match(lives, '^%d+')) or 0 }
local run -- where in the answer the run is that may go on
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
