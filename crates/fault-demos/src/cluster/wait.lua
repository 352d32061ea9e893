-- Holds a request that needs the queue while no node can use it. Times are in milliseconds: the
-- longest wait, and the interval between checks. A replica takes over within seconds, so held
-- requests still succeed.
local LONGEST, EVERY = 10000, 50

core.register_action('wait_for_the_line', { 'http-req' }, function(txn)
  for _ = 1, LONGEST / EVERY do
    if txn.f:nbsrv('line') > 0 then
      return
    end
    core.msleep(EVERY)
  end
end, 0)
