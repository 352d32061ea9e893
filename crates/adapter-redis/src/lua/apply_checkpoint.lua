-- Applies a checkpoint, once for each generation.
--
-- Arguments: the generation it was read in, whether there is one, its last, serving, ceiling, and
-- incarnations of the queue.
--
-- Answers 1 when the checkpoint was for this generation, otherwise 0.

local is_there = ARGV[FIRST + 1] == '1'
local last, serving = tonumber(ARGV[FIRST + 2]), tonumber(ARGV[FIRST + 3])
local ceiling = tonumber(ARGV[FIRST + 4])
local is_current = tonumber(ARGV[FIRST]) == q.generation
if is_current then learn_incarnations(ARGV[FIRST + 5]) end
local is_behind = is_there and (last > q.last or serving > q.serving)
if is_current and (q.settled ~= q.generation or is_behind) then
  if q.doubt == 0 and is_behind and (q.intact == 1 or q.settled == q.generation) then
    -- The store is an older copy, which was unnoticed until now.
    found = {
      last = q.last, serving = q.serving, generation = q.generation, version = q.version,
      time = q.time,
    }
    begin_doubt(true, false)
  end
  q.settled = q.generation
  if is_there then
    if q.cp == 0 then
      q.cp, q.cp_last, q.cp_serving, q.cp_ceiling = 1, 0, 0, 0
    end
    q.cp_last, q.cp_serving = math.max(q.cp_last, last), math.max(q.cp_serving, serving)
    q.cp_ceiling = math.max(q.cp_ceiling, ceiling, q.cp_last)
  end
  end_doubt()
  if q.doubt == 0 then apply_checkpoint() end
end
save()
return { is_current and 1 or 0 }
