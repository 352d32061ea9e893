-- What is read from the store may have been written by somebody else. Numbers are checked before they are used, so that no
-- script ends half done and nothing moves by a value that this queue cannot have written: such a value counts for nothing.
-- probe.lua finds and names it.

local HIGHEST = 9007199254740991
-- `QueueNumber::MAX`: no number that is given is higher.
local HIGHEST_NUMBER = 1099511627775
-- No policy lets more people wait, and the abandoned numbers among theirs are far fewer.
local MOST_NUMBERS_WAITING = 2 ^ 33
local DAY = 86400 * 1000000
-- No queue is this old.
local OLDEST = 10 * 365 * DAY

-- The whole number that a text says, from 0 to `most`; nil where it says none, or nothing is there.
local function whole(value, most)
  local number = type(value) == 'string' and tonumber(value)
  if number and number >= 0 and number <= (most or HIGHEST) and number % 1 == 0 then return number end
end

-- The same of a text that others read too: of digits alone.
local function digits(value, most)
  return string.find(value, '^%d+$') and whole(value, most)
end

-- The numbers from..to and, where there is one, the end of a range; nil where it is none.
local function range_in(member)
  local from, to, ends = string.match(member, '^(%d+):(%d+):?(%d*)$')
  from, to = whole(from), whole(to)
  if from and to and from < to then return from, to, whole(ends) end
end

-- An error that names what was found.
local function foreign(key, what)
  return redis.error_reply('FOREIGN ' .. what .. ' of ' .. key .. ' was not written by this program: restore or delete the key')
end

-- The name of a field of the line that says what this queue cannot have written, by what the others say: nil where there is
-- none. `beyond` is the last moment that anything can mean.
local function field_at_odds(line, beyond)
  local last = line.last or 0
  for _, name in ipairs({
    'last', 'found_last', 'found_serving', 'cp_last', 'cp_serving', 'cp_ceiling', 'raised_from', 'raised_to',
  }) do
    if (line[name] or 0) > HIGHEST_NUMBER then return name end
  end
  for _, name in ipairs({ 'serving', 'standing' }) do
    if (line[name] or 0) > last then return name end
  end
  if (line.time or 0) > OLDEST then return 'time' end
  for _, name in ipairs({ 'spent', 'doubt_until', 'doubt_latest', 'adopts_until' }) do
    if (line[name] or 0) > beyond then return name end
  end
  for _, name in ipairs({ 'doubt', 'doubt_lost', 'doubt_takeover', 'intact', 'cp', 'registered', 'adopted' }) do
    if (line[name] or 0) > 1 then return name end
  end
end

-- Whether so many numbers wait that somebody else has written the last one. `ranges` are the skipped ones, as texts.
local function waits_beyond_all(line, ranges)
  local serving = line.serving or 0
  local waiting = (line.last or 0) - serving
  if waiting <= MOST_NUMBERS_WAITING then return false end
  for _, range in ipairs(ranges) do
    local from, to = range_in(range)
    if from then waiting = waiting - math.max(to - math.max(from, serving), 0) end
  end
  return waiting > MOST_NUMBERS_WAITING
end

-- Whether a text says lives of a queue: at most four numbers with commas between.
local function says_lives(value)
  local _, commas = string.gsub(value, ',', '')
  return commas < 4 and not string.find(value, '[^%d,]')
end
