-- Registers a node, calls people if the first argument is 1, and reports the queue and what changed
-- since the version the node knows.
--
-- Arguments: whether to call people; the lifetime of the keys that grow with the users, in
-- milliseconds; the highest number that a token has shown above all that the node knows (0 for
-- none), and its incarnation.
--
-- Answers:
--
-- - generation, version, last, serving, the time, called people, open calls, sessions, and the
--   number from which on calls are open;
-- - flags: the store is in doubt; nodes must replay what they remember; this node may give numbers;
--   a checkpoint was read in this generation; the generation began because keys had expired;
-- - the incarnations of the queue, and whether a token's incarnation may be adopted;
-- - counters: numbers given, calls claimed, calls lapsed, places left, sessions that reached their
--   end;
-- - the turnover of slots (thousandths of slots, microseconds);
-- - the number of steps of session ends, then each step (time left, sessions that end by then);
-- - the changes since that version, oldest first, or one `gap` if they are no longer kept or the
--   node knows another generation.

local calls, lifetime = ARGV[FIRST] == '1', ARGV[FIRST + 1]
-- Steps of the distribution of session ends.
local STEPS = 16

local shown = tonumber(ARGV[FIRST + 2])
if shown > 0 then note_shown(shown, ARGV[FIRST + 3]) end

do
  local record = record_of(node) or { registered = now, replayed = 0 }
  record.seen, record.heard = now, q.generation
  put_record(node, record)
  q.registered = 1
  -- The end of a doubt checks which nodes were live when it began.
  local records = q.doubt == 0 and redis.call('HGETALL', K_NODES) or {}
  for i = 1, #records, 2 do
    local seen = whole(string.match(records[i + 1], ':(%d+):'), beyond)
    if seen and now >= seen + NODE_TIMEOUT then redis.call('HDEL', K_NODES, records[i]) end
  end
end

local record = record_of(node)
local may_give = is_open() and has_replayed()
  and now >= record.registered + math.min(PROBATION, recovery)

local called = 0
if calls and not IS_AT_LIMIT then
  called = call_people()
end
end_what_is_over()
save()
-- Expiry depends on a clock that may be stepped: a store that lacks these keys treats that as a
-- loss.
for _, key in ipairs({ K_HOLDERS, K_USERS, K_ABANDONED, K_CHANGES, K_NODES }) do
  redis.call('PEXPIRE', key, lifetime)
end
for _, key in ipairs({
  K_SKIPPED, K_FOUND, K_LATE, K_RECALLED, K_CALLS, K_USED, K_SESSIONS, K_INSIDE, K_RELEASED,
}) do
  -- A node of an earlier version lets them expire too.
  redis.call('PERSIST', key)
end

local oldest, first_called = oldest_call()
local calls_from = oldest and first_called or q.serving
local open = open_calls()
local sessions = running()
local answer = {
  q.generation, q.version, q.last, q.serving, now, called, open, sessions, calls_from, q.doubt,
  (q.doubt == 1 and q.doubt_lost or 1 - q.intact), may_give and 1 or 0,
  q.settled == q.generation and 1 or 0, q.expired == q.generation and 1 or 0,
  incarnations, adopts() and 1 or 0,
}
local outcomes = redis.call('HMGET', K_QUEUE, 'joined', 'claimed', 'lapsed', 'left', 'ended')
for i = 1, #outcomes do
  answer[#answer + 1] = whole(outcomes[i]) or 0
end
answer[#answer + 1] = q.freed
answer[#answer + 1] = q.held

local steps = math.min(STEPS, sessions)
local over = redis.call('ZCOUNT', K_SESSIONS, '-inf', text(now))
answer[#answer + 1] = steps
for step = 1, steps do
  local rank = math.floor(sessions * step / steps)
  local at = redis.call('ZRANGE', K_SESSIONS, over + rank - 1, over + rank - 1, 'WITHSCORES')
  answer[#answer + 1] = tonumber(at[2]) - now
  answer[#answer + 1] = rank
end

local missed = q.version - witness.version
if witness.generation ~= q.generation or missed < 0 or missed > LOG then
  answer[#answer + 1] = 'gap'
elseif missed > 0 then
  local changes = redis.call('LRANGE', K_CHANGES, -missed, -1)
  if #changes == missed then
    for i = 1, #changes do
      answer[#answer + 1] = changes[i]
    end
  else
    answer[#answer + 1] = 'gap'
  end
end
return answer
