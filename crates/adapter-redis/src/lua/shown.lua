-- What a visitor's token shows: it is no witness, and may be of a rehearsal.
-- `QueueState::note_shown` in Lua.

-- How far above the first number that is shown the next one is given, twice as far with each raise;
-- and how many raises there are at most.
local MARGIN, MOST_RAISES = 10000, 16

-- Takes in what a token shows: a number, and the life of the queue it was given in.
local function note_shown(number, life)
  -- Witnesses come first, and the checkpoint.
  if not is_open() then return end
  if not is_life(life) then
    if not adopts() then return end
    lives, q.adopted = union_of(lives, life), 1
  end
  if number <= q.last or q.raises >= MOST_RAISES then return end
  local to = number + MARGIN * 2 ^ q.raises
  if to > HIGHEST_NUMBER then return end
  q.raises = q.raises + 1
  if q.last ~= q.raised_to then q.raised_from = q.last end
  q.raised_to = to
  skip_up_to(to)
end

-- Last and serving, for a node that does not follow the changes with them:
-- `QueueState::witnessed_line`.
local function witnessed_line()
  if q.last ~= q.raised_to then return q.last, q.serving end
  return q.raised_from, math.min(q.serving, q.raised_from)
end
