-- A message to a lead has ended: count it as sent, or give its reservation back.
--
-- told, reserved, message: as in reserve.lua. sent: the lead has it, or may have it.
-- Returns 1 when something was changed. Twice for one message: the second time changes nothing but the time.

local week = 604800000

finish_even_when_full(told)
if sent then
  redis.call('ZADD', told, clock(), message)
  redis.call('PEXPIRE', told, week)
  redis.call('ZREM', reserved, message)
  return 1
end
-- What was sent before, such as the first bubble of a reply, stays counted.
if redis.call('ZREM', reserved, message) == 0 then return 0 end
return redis.call('ZREM', told, message)
