-- Reads a different page with each request; a step that shares no factor with the number of pages
-- visits them all.
local pages = tonumber(os.getenv("PAGES"))
local page = 0
function request()
  page = (page + 379) % pages
  return wrk.format("GET", wrk.path .. "?page=" .. (page + 1))
end

