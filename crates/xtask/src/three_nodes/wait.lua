-- Holds a request that needs the line while no node sees it, in milliseconds for so long at most and looking so often.
-- A replica takes over within seconds, and who was held meanwhile never notices.
local LONGEST, EVERY = 10000, 50

core.register_action('wait_for_the_line', { 'http-req' }, function(txn)
  for _ = 1, LONGEST / EVERY do
    if txn.f:nbsrv('line') > 0 then
      return
    end
    core.msleep(EVERY)
  end
end, 0)
