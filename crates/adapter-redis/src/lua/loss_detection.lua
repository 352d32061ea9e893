-- Notices a loss, applies what the node knows, and ends a doubt that is over.

local function end_doubt()
  if q.doubt == 0 then return end
  local is_intact = q.doubt_lost == 0 and all_heard()
  if not is_intact and q.time < q.doubt_until then return end
  q.doubt, q.intact = 0, is_intact and 1 or 0
  if not is_intact then
    skip_numbers_without_holder()
  elseif q.settled >= q.found_generation then
    -- A checkpoint read for the store before the doubt holds for the same data after it.
    q.settled = q.generation
  end
  if q.serving == 0 then q.spent = 0 end
  if q.settled == q.generation then apply_checkpoint() end
end

-- The oldest range of calls, its numbers and its end. Returns nil if there is none, and false if
-- the first ranges were all written by another program.
local MOST_FOREIGN = 10
local function oldest_call()
  for i = 0, MOST_FOREIGN do
    local range = redis.call('ZRANGE', K_CALLS, i, i)[1]
    if not range then
      if i == 0 then return nil end
      return false
    end
    local from, to, ends = range_in(range)
    if ends and ends <= beyond then return range, from, to, ends end
  end
  return false
end

-- Removes calls of numbers up to this one, which are already over: nothing is counted or logged.
local function forget_calls_up_to(mark)
  while true do
    local oldest, from, to, ends = oldest_call()
    if not oldest then return end
    if from >= mark then return end
    local upto = math.min(to, mark)
    redis.call('ZREM', K_CALLS, oldest)
    if upto < to then
      redis.call('ZADD', K_CALLS, text(to), string.format('%d:%d:%d', upto, to, ends))
    end
    q.standing = math.max(q.standing - (upto - from), 0)
    redis.call('ZREMRANGEBYSCORE', K_USED, '(' .. text(from), text(upto))
  end
end

-- Handles the loss of the keys that expire. The other keys still say who is inside.
local function note_expiry()
  q.registered, q.doubt_takeover, q.expired = 0, 0, q.generation
  local inside, held = redis.call('HGETALL', K_INSIDE), {}
  for i = 1, #inside, 2 do
    local user, number = string.sub(inside[i + 1], 1, 8), whole(inside[i], q.last)
    if number then held[user] = math.max(held[user] or 0, number) end
  end
  for user, number in pairs(held) do redis.call('HSET', K_HOLDERS, user, text(number)) end
  if q.standing > 0 and redis.call('EXISTS', K_CALLS) == 0 then
    -- Calls do not expire: they were deleted too.
    q.standing = 0
    redis.call('DEL', K_USED)
    call_again(0, q.serving, witness.calls_from)
  end
end

do
  learn_incarnations(witness_incarnations)
  -- The node registry expires with the other keys, and is never empty after the first refresh.
  local has_expired = q.registered == 1 and redis.call('EXISTS', K_NODES) == 0
  local is_doubtful = is_another and (is_empty or arrival ~= 'handed')
  local is_late = q.doubt == 1 and witness.generation < q.generation
  local mine = found
  if is_late then
    mine = {
      last = q.found_last, serving = q.found_serving, generation = q.found_generation,
      version = q.found_version, time = q.found_time,
    }
  end
  local seen = math.max(witness.version, witness.seen)
  local is_behind = witness.last > mine.last or witness.serving > mine.serving
    or witness.generation > mine.generation or seen > mine.version or witness.time > mine.time
  if witness.generation ~= q.generation then
    -- Removes calls that a recovery opened again and that the node knows to be over.
    forget_calls_up_to(math.min(witness.calls_from, q.unknown))
  end
  if is_doubtful or has_expired or is_behind and not is_late then
    begin_doubt(is_empty or is_behind or has_expired, is_doubtful and not is_empty)
    if has_expired then note_expiry() end
  elseif is_behind then
    q.doubt_lost = 1
  end
  if is_behind then
    if seen > q.version then
      -- The log has no entries for the versions between.
      redis.call('DEL', K_CHANGES)
      q.version = seen
    end
    raise_queue(witness.last, witness.serving, witness.calls_from)
  end
  if q.doubt == 1 then
    local record = record_of(node)
    local replayed = witness.replayed == q.generation and witness.replayed or 0
    if record and (record.heard ~= q.generation or record.replayed < replayed) then
      record.heard = q.generation
      record.replayed = math.max(record.replayed, replayed)
      put_record(node, record)
    end
    end_doubt()
  end
  begin_incarnation()
end

local now = q.time

-- Whether the node has replayed what it remembers; if nothing was lost, there is nothing to replay.
local function has_replayed()
  return witness.replayed == q.generation or q.intact == 1
end

-- Whether the queue may move for this node.
local function is_open()
  return q.doubt == 0 and (not witness.needs_checkpoint or q.settled == q.generation)
end
