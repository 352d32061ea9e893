-- Takes in what a node remembers of a line that was lost. Saying it twice changes nothing.
-- Arguments: the generation it is for, then entries as in the log of changes, and `h:number::user` for who holds a number.
-- Answers: generation, version, last, serving, and 1 when it was taken in, 0 when the line was lost again meanwhile.

local taken_in = tonumber(ARGV[FIRST]) == generation and 1 or 0
if taken_in == 1 then
  for i = FIRST + 1, #ARGV do
    local kind, number, ends, user = string.match(ARGV[i], '^(%a):(%d+):?(%d*):?(%d*)$')
    number = tonumber(number)
    if kind == 'l' and number > serving and number <= last then
      redis.call('ZADD', K_LEFT, number, number)
    elseif kind == 'e' then
      redis.call('ZREM', K_SESSIONS, number)
      if call_of(number) then
        redis.call('ZADD', K_USED, number, number)
      end
    elseif kind == 'c' and number <= serving and tonumber(ends) > now
      and not redis.call('ZSCORE', K_USED, number) then
      if call_of(number) then
        redis.call('ZADD', K_USED, number, number)
      end
      redis.call('ZADD', K_SESSIONS, ends, number)
      redis.call('HSETNX', K_HOLDERS, user, number)
    elseif kind == 'h' and number <= lost then
      redis.call('HSETNX', K_HOLDERS, user, number)
    end
  end
end
save()
return { generation, version, last, serving, taken_in }
