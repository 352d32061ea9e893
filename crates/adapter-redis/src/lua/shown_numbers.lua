-- Numbers that visitors' tokens show. A token is not a witness, and may be from a rehearsal.
-- `QueueState::note_shown` in Lua.

-- The distance from the first shown number to the next one given, doubled with each raise; and the
-- maximum number of raises.
local MARGIN, MOST_RAISES = 10000, 16

-- Notes a number that a token shows, and the incarnation it was given in.
local function note_shown(number, incarnation)
  -- Witnesses come first, and the checkpoint.
  if not is_open() then return end
  if not is_accepted(incarnation) then
    if not adopts() then return end
    incarnations, q.adopted = union_of(incarnations, incarnation), 1
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
