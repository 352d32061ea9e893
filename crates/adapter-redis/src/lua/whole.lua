-- What is read from the store may have been written by somebody else. Numbers are checked before they are used, so that no
-- script ends half done and nothing moves by a value that this queue cannot have written: such a value counts for nothing.
-- probe.lua finds and names it.

local HIGHEST = 9007199254740991
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

-- Whether a text says lives of a queue: at most four numbers with commas between.
local function says_lives(value)
  local _, commas = string.gsub(value, ',', '')
  return commas < 4 and not string.find(value, '[^%d,]')
end
