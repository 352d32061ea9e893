-- The incarnations of the queue whose tokens are accepted: `domain::queue::Incarnations`, as a text
-- `incarnation,incarnation`, ascending.

local MAX_INCARNATIONS = 4
-- `QueueState::ADOPTION`.
local ADOPTION = 5 * SECOND

-- The union of both, limited to the oldest ones.
local function union_of(one, other)
  local all, seen = {}, {}
  for incarnation in string.gmatch(one .. ',' .. other, '%d+') do
    if not seen[incarnation] then
      seen[incarnation] = true
      all[#all + 1] = tonumber(incarnation)
    end
  end
  table.sort(all)
  local texts = {}
  for i = 1, math.min(#all, MAX_INCARNATIONS) do texts[i] = text(all[i]) end
  return table.concat(texts, ',')
end

-- Adds the incarnations that a node or a checkpoint remembers. A store that learns another one is
-- not without memory, so it adopts none.
local function learn_incarnations(remembered)
  if remembered == incarnations or remembered == '' then return end
  local all = union_of(incarnations, remembered)
  if all ~= incarnations then
    incarnations, q.adopts_until, q.adopted = all, 0, 0
  end
end

-- Begins an incarnation if the store is not in doubt and no incarnation is remembered. A
-- checkpoint, if there is one, has been read by then: the queue is new, and no token of it can
-- exist.
local function begin_incarnation()
  q.adopts_until = math.min(q.adopts_until, q.time + ADOPTION)
  if q.adopts_until > 0 and q.time >= q.adopts_until then q.adopts_until, q.adopted = 0, 0 end
  if incarnations ~= '' or q.doubt == 1 then return end
  if witness.needs_checkpoint and q.settled ~= q.generation then return end
  incarnations = text(clock + apart)
  if not witness.needs_checkpoint then q.adopts_until, q.adopted = q.time + ADOPTION, 0 end
end

local function is_accepted(incarnation)
  return string.find(',' .. incarnations .. ',', ',' .. incarnation .. ',', 1, true) ~= nil
end

local function adopts()
  return q.adopts_until > 0 and q.adopted == 0
end
