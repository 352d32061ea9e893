-- Takes in what a node remembers of a line that was lost. Saying it twice changes nothing. What it changes is logged, so
-- that every node hears what the others knew.
-- Arguments: the generation it is for, then entries as in the log of changes, and `h:number::user` for who holds a number.
-- Answers 1 when it was taken in, 0 when the line was lost again meanwhile.

-- A user's places come one after the other, so the highest number is the one they hold.
local function note_holder(user, number)
  local held = tonumber(redis.call('HGET', K_HOLDERS, user))
  if not held or held < number then
    redis.call('HSET', K_HOLDERS, user, text(number))
  end
end

local taken_in = tonumber(ARGV[FIRST]) == generation and 1 or 0
if taken_in == 1 then
  if now < hold then
    -- Whoever has so much to tell that it takes longer than the pause is heard to the end.
    hold = now + recovery
  end
  for i = FIRST + 1, #ARGV do
    local kind, number, ends, user = string.match(ARGV[i], '^(%a):(%d+):?(%d*):?(%d*)$')
    number = tonumber(number)
    if kind == 'l' and number > serving and number <= last then
      if redis.call('ZADD', K_LEFT, number, text(number)) == 1 then
        log_change(ARGV[i])
      end
    elseif kind == 'e' then
      local ended = redis.call('ZREM', K_SESSIONS, text(number))
      if call_of(number) then
        ended = redis.call('ZADD', K_USED, number, text(number))
      end
      if ended == 1 then
        log_change(ARGV[i])
      end
    elseif kind == 'c' and number <= serving and tonumber(ends) > now
      and not redis.call('ZSCORE', K_USED, text(number)) then
      if call_of(number) then
        redis.call('ZADD', K_USED, number, text(number))
      end
      if redis.call('ZADD', K_SESSIONS, ends, text(number)) == 1 then
        log_change(ARGV[i])
      end
      note_holder(user, number)
    elseif kind == 'h' and number <= lost then
      note_holder(user, number)
    end
  end
end
save()
return { taken_in }
