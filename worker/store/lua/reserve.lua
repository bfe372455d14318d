-- Reserve one message to a lead among those of all personas, or say how long it has to wait for a free moment.
--
-- told: message -> milliseconds when it was reserved or sent; those of a week. reserved: those that may not have been sent
-- -> milliseconds when that ends: a worker that vanished gives its reservation back by this end.
-- message: "<event id> <conversation>". per_day, per_week: at most so many in 24 hours and in 7 days, or
-- 0. reserved_ms: how long a reservation lasts.
-- Returns milliseconds to wait, 0 = it may go. Twice for one message: it has one place.

local day, week = 86400000, 604800000

finish_even_when_full(told)
local now = clock()
for _, lapsed in ipairs(redis.call('ZRANGEBYSCORE', reserved, '-inf', now)) do
  redis.call('ZREM', told, lapsed)
  redis.call('ZREM', reserved, lapsed)
end
redis.call('ZREMRANGEBYSCORE', told, '-inf', now - week)

local function free_at(most, period)
  local oldest = most > 0 and redis.call('ZREVRANGE', told, most - 1, most - 1, 'WITHSCORES')
  return oldest and oldest[2] and number(oldest[2]) + period or 0
end

-- Its own place is no reason to wait. Once that is older than a day, another message may have taken the day.
redis.call('ZREM', told, message)
local wait = math.max(free_at(per_day, day), free_at(per_week, week)) - now
if wait > 0 then
  redis.call('ZREM', reserved, message)
  return wait
end
redis.call('ZADD', told, now, message)
redis.call('ZADD', reserved, now + reserved_ms, message)
redis.call('PEXPIRE', told, week)
redis.call('PEXPIRE', reserved, week)
return 0
