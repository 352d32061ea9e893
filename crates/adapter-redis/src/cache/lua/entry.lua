-- The head of the scripts about one key: its copy and its lease. All numbers are integers below
-- 2^53, which Lua represents exactly; times are microseconds of the server's clock.

local COPY, LEASE = KEYS[1], KEYS[2]
-- The first bytes of a value of this version, the maximum length of a value, and the digest of a
-- copy that the caller found to be damaged.
local MARK, LONGEST, DISTRUSTED = ARGV[1], tonumber(ARGV[2]), ARGV[3]
-- The caller's lease, if any: the mark of the deployment for this key, then the holder's id.
local LEASE_ID = ARGV[4]
local LEASE_MARK = string.sub(LEASE_ID, 1, 32)
local FIRST = 5 -- the first argument of the script itself

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- A copy with a later stamp was written before the clock was set back by this much, and would stay
-- the latest for too long.
local FUTURE = 1000000

-- The stamp of a value with this head, or nil if it is not a copy. The layout is that of entry.rs.
local function stamp_in(head)
  if #head < 36 or string.sub(head, 1, 4) ~= MARK or string.sub(head, 5, 12) == DISTRUSTED then
    return nil
  end
  local stamp = struct.unpack('>I8', head, 13)
  if stamp <= now + FUTURE then
    return stamp
  end
end

-- Longer than any lease, in milliseconds.
local NO_LEASE = 3600000

-- The holder of the lease; nil if another program wrote the value, or if it does not expire soon.
local function holder()
  local id = redis.pcall('GET', LEASE)
  if type(id) ~= 'string' or string.sub(id, 1, 32) ~= LEASE_MARK then return nil end
  local left = redis.call('PTTL', LEASE)
  return left >= 0 and left < NO_LEASE and id or nil
end

local function release_lease()
  if holder() == LEASE_ID then
    redis.call('DEL', LEASE)
  end
end
