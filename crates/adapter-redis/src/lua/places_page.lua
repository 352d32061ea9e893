-- One page of the numbers that are used up or inside, for a node that cannot follow the changes.
-- The pages are not a snapshot: the node's next refresh returns what changes meanwhile.
--
-- Arguments: `used`, `given_back` or `inside`, and the cursor after the previous page, 0 for the
-- first.
--
-- Answers: the generation and the cursor, 0 after the last page; then numbers, or for `inside` the
-- running sessions: number and end, eight bytes each, and user.

local PAGE = 2000
local kind, cursor = ARGV[FIRST], ARGV[FIRST + 1]
save()
local page, answer
if kind == 'inside' then
  page = redis.call('HSCAN', K_INSIDE, cursor, 'COUNT', PAGE)
else
  page = redis.call('ZSCAN', kind == 'used' and K_USED or K_RELEASED, cursor, 'COUNT', PAGE)
end
answer = { q.generation, page[1] }
local entries = page[2]
for i = 1, #entries, 2 do
  local number = digits(entries[i])
  if number and kind ~= 'inside' then
    answer[#answer + 1] = entries[i]
  elseif number then
    -- Late numbers are in this key too, and have no end.
    local ends = whole(redis.call('ZSCORE', K_SESSIONS, entries[i]), beyond)
    local user = string.sub(entries[i + 1], 1, 8)
    if ends and ends > q.time and #user == 8 and user ~= NOBODY then
      answer[#answer + 1] = struct.pack('>I8I8', number, ends) .. user
    end
  end
end
return answer
