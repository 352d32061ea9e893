-- The holders of numbers. Users are stored by number in blocks, so that each costs eight bytes
-- here.

-- The user a number was given to, if the store knows.
local function user_of(number)
  local block = redis.call('HGET', K_USERS, text(block_of(number)))
  if not block then return nil end
  local at = (number - 1) % BLOCK * 8
  local user = string.sub(block, at + 1, at + 8)
  return #user == 8 and user ~= NOBODY and user or nil
end

-- Stores the users of consecutive numbers, starting at `number`; `users` is their bytes.
local function put_users(number, users)
  while #users > 0 do
    local field, at = text(block_of(number)), (number - 1) % BLOCK * 8
    local block = redis.call('HGET', K_USERS, field) or ''
    local part = string.sub(users, 1, BLOCK * 8 - at)
    local before = string.sub(block, 1, at)
    before = before .. string.rep('\0', at - #before)
    redis.call('HSET', K_USERS, field, before .. part .. string.sub(block, at + #part + 1))
    users = string.sub(users, #part + 1)
    number = number + #part / 8
  end
end

-- The user of a number: first of a session or a late number.
local function owner_of(number)
  local inside = redis.call('HGET', K_INSIDE, text(number))
  return inside and string.sub(inside, 1, 8) or user_of(number)
end

local function forget_holder(user, number)
  if tonumber(redis.call('HGET', K_HOLDERS, user)) == number then
    redis.call('HDEL', K_HOLDERS, user)
  end
end

-- Freed slots, and how long they were held: `Turnover`.
local FADE = math.min(math.max(2 * max_active, 200), 1000000)

local function note_turnover(held, times)
  held = math.min(math.max(held, 0), DAY)
  for _ = 1, math.min(times, 5000) do
    q.freed = q.freed - math.floor(q.freed / FADE) + 1000
    q.held = q.held - math.floor(q.held / FADE) + held
  end
end
