
local page = 0
function request()
  page = (page + 379) % 1000
  return wrk.format("GET", wrk.path .. "?page=" .. (page + 1))
end
