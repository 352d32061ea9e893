-- Stored values may come from another program. Scripts check numbers before use, so that no script
-- ends half done and no value that this queue cannot have written has an effect: it is ignored.
-- probe.lua finds and names it.

local HIGHEST = 9007199254740991
-- `QueueNumber::MAX`: the highest number ever given.
local HIGHEST_NUMBER = 1099511627775
-- No policy lets more people wait, and far fewer of their numbers are abandoned.
local MOST_NUMBERS_WAITING = 2 ^ 33
local DAY = 86400 * 1000000
-- Generations and versions rise from what nodes report, so they need room below `HIGHEST`.
local HIGHEST_MARK = 2 ^ 52
-- No queue is older than this.
local OLDEST = 10 * 365 * DAY

-- The integer in a text, from 0 to `most`; nil if there is none.
local function whole(value, most)
  local number = type(value) == 'string' and tonumber(value)
  if number and number >= 0 and number <= (most or HIGHEST) and number % 1 == 0 then
    return number
  end
end

-- The same for a text that other readers parse too: digits only.
local function digits(value, most)
  return string.find(value, '^%d+$') and whole(value, most)
end

-- The numbers from..to of a range and its end, if it has one; nil if it is not a range.
local function range_in(member)
  local from, to, ends = string.match(member, '^(%d+):(%d+):?(%d*)$')
  from, to = whole(from), whole(to)
  if from and to and from < to then return from, to, whole(ends) end
end

-- The same of an entry of the skipped ranges, whose score is its end.
local function skipped_in(member, score, most)
  local from, to, ends = range_in(member)
  if from and not ends and to == whole(score, most) then return from, to end
end

-- An error that names the unexpected value.
local function foreign(key, what)
  return redis.error_reply(
    'FOREIGN ' .. what .. ' of ' .. key
      .. ' was not written by this program: restore or delete the key'
  )
end

-- The name of a field of the queue with a value that this queue cannot have written, judged by the
-- others; nil if there is none. `beyond` is the latest moment any time can have.
local function field_at_odds(fields, beyond)
  local last = fields.last or 0
  for _, name in ipairs({
    'last', 'found_last', 'found_serving', 'cp_last', 'cp_serving', 'cp_ceiling', 'raised_from',
    'raised_to',
  }) do
    if (fields[name] or 0) > HIGHEST_NUMBER then return name end
  end
  for _, name in ipairs({ 'serving', 'raised_to' }) do
    if (fields[name] or 0) > last then return name end
  end
  if (fields.standing or 0) > (fields.serving or 0) then return 'standing' end
  if (fields.raised_from or 0) > (fields.raised_to or 0) then return 'raised_from' end
  for _, name in ipairs({ 'generation', 'version', 'found_generation', 'found_version' }) do
    if (fields[name] or 0) > HIGHEST_MARK then return name end
  end
  if (fields.skipped_at or 0) > (fields.version or 0) then return 'skipped_at' end
  if (fields.time or 0) > OLDEST then return 'time' end
  for _, name in ipairs({ 'spent', 'doubt_until', 'doubt_latest', 'adopts_until' }) do
    if (fields[name] or 0) > beyond then return name end
  end
  for _, name in ipairs({
    'doubt', 'doubt_lost', 'doubt_takeover', 'intact', 'cp', 'registered', 'adopted',
  }) do
    if (fields[name] or 0) > 1 then return name end
  end
end

-- Whether more numbers wait than possible, so that another program wrote the last one. `ranges` are
-- the skipped ones, as texts.
local function waits_beyond_all(fields, ranges)
  local serving = fields.serving or 0
  local waiting = (fields.last or 0) - serving
  if waiting <= MOST_NUMBERS_WAITING then return false end
  for _, range in ipairs(ranges) do
    local from, to = range_in(range)
    if from then waiting = waiting - math.max(to - math.max(from, serving), 0) end
  end
  return waiting > MOST_NUMBERS_WAITING
end

-- Whether a text is a list of incarnations: at most four numbers separated by commas.
local function are_incarnations(value)
  local _, commas = string.gsub(value, ',', '')
  return commas < 4 and not string.find(value, '[^%d,]')
end
