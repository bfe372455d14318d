-- Whether one more follow-up may be sent: so many a day, and so many an hour, each at a moment of its own.
--
-- sent: touches of this day; kept_ms: for so long. pace: milliseconds of the next free moment. paced: touch -> its moment.
-- touch: "<conversation> <plan>". most: so many a day, or 0. interval_ms: between two, or 0.
-- Returns {'go' | 'day' | 'pace', milliseconds of its moment or 0}. Twice for one touch: it is counted once, has one moment.

local now = clock()
if redis.call('SISMEMBER', sent, touch) == 1 then
  return {'go', 0}
end
if most > 0 and redis.call('SCARD', sent) >= most then
  return {'day', 0}
end
begin_only_with_room(sent)
if interval_ms > 0 then
  -- A moment that was not used is lost: what a night or a gate has held back queues again, and is no burst.
  redis.call('ZREMRANGEBYSCORE', paced, '-inf', now - math.max(interval_ms, 60000))
  local at = number(redis.call('ZSCORE', paced, touch))
  if at == 0 then
    at = math.max(number(redis.call('GET', pace)), now)
    redis.call('SET', pace, at + interval_ms, 'PX', at + interval_ms - now + 60000)
    redis.call('ZADD', paced, at, touch)
    redis.call('PEXPIRE', paced, at - now + interval_ms + 600000)
  end
  if at > now then
    return {'pace', at}
  end
end
redis.call('SADD', sent, touch)
redis.call('PEXPIRE', sent, kept_ms)
return {'go', 0}
