-- Joins a different user with each request.
local user = tonumber(os.getenv("FIRST_USER"))
function request()
  user = user + 1
  return wrk.format("POST", wrk.path .. "/" .. user .. "/queue/token/issue")
end

