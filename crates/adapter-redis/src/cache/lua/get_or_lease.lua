-- Reads the copy, and takes the requested lease if the copy is not fresh.
--
-- Arguments after those of entry.lua: the age up to which a copy is fresh, in microseconds, and the
-- duration of the lease, in milliseconds.
--
-- Answers: the time, whether the lease is held, whether the copy is fresh, the kind of the value,
-- and the value.

local fresh_for, lease_lasts = tonumber(ARGV[FIRST]), ARGV[FIRST + 1]

local NOTHING, VALUE, TOO_LARGE, FOREIGN = 0, 1, 2, 3
local what, value = NOTHING, ''
local size = redis.pcall('STRLEN', COPY)
if type(size) ~= 'number' then
  what = FOREIGN
elseif size > LONGEST then
  what = TOO_LARGE
else
  local found = redis.call('GET', COPY)
  if found then
    what, value = VALUE, found
  end
end

local stamp = what == VALUE and stamp_in(value)
local is_fresh = stamp and now - stamp < fresh_for

local is_held = false
if LEASE_ID ~= '' and not is_fresh then
  local by = holder()
  is_held = not by or by == LEASE_ID
  if is_held then
    redis.call('SET', LEASE, LEASE_ID, 'PX', lease_lasts)
  end
end

return { now, is_held and 1 or 0, is_fresh and 1 or 0, what, value }
