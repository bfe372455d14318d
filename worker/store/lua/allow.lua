-- Whether one more follow-up may be sent: so many a day, and so many an hour, each at a moment of its own.
--
-- KEYS 1 sent: touches of this day  2 pace: milliseconds of the next free moment  3 paced: touch -> its moment
-- ARGV 1 touch ("<conversation> <plan>")  2 at most so many a day, or 0  3 ms between two, or 0
--      4 ms for which the list of a day is kept
-- Returns {'go' | 'day' | 'pace', milliseconds of its moment or 0}. Twice for one touch: it is counted once, has one moment.

local touch, most, interval = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local now = clock()
if redis.call('SISMEMBER', KEYS[1], touch) == 1 then
  return {'go', 0}
end
if most > 0 and redis.call('SCARD', KEYS[1]) >= most then
  return {'day', 0}
end
begin_only_with_room(KEYS[1])
if interval > 0 then
  -- A moment that was not used is lost: what a night or a gate has held back queues again, and is no burst.
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - math.max(interval, 60000))
  local at = number(redis.call('ZSCORE', KEYS[3], touch))
  if at == 0 then
    at = math.max(number(redis.call('GET', KEYS[2])), now)
    redis.call('SET', KEYS[2], at + interval, 'PX', at + interval - now + 60000)
    redis.call('ZADD', KEYS[3], at, touch)
    redis.call('PEXPIRE', KEYS[3], at - now + interval + 600000)
  end
  if at > now then
    return {'pace', at}
  end
end
redis.call('SADD', KEYS[1], touch)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'go', 0}
