-- Whether a call with a persona's key may be made now, by all processes together.
--
-- rate: milliseconds of the next free moment. reserved: conversation -> its moment. interval_ms: between two calls, or 0.
-- most: calls at once, or 0. keep_ms: for so long a place is kept for a conversation. since: when it began to wait, ms.
-- Returns {0 = go | milliseconds until its moment | -1 = it waits in line, and is woken; names of conversations for which
-- a place is kept now: wake them}. Moments are handed out in the order of asking, places to those who wait longest. Twice
-- with the same token: the same answer.

local now, kept, own = clock(), {}, 'for ' .. name

if redis.call('ZSCORE', running, token) then return {0} end
finish_even_when_full(running)
if most > 0 then
  kept = keep_places(running, line, most, now, keep_ms)
  if not redis.call('ZSCORE', running, own) and redis.call('ZCARD', running) >= most then
    redis.call('ZADD', line, 'NX', since, name)
    redis.call('PEXPIRE', line, 86400000)
    look_again(running, line, errands, persona)
    return {-1, unpack(kept)}
  end
end
redis.call('ZREMRANGEBYSCORE', reserved, '-inf', now - 600000)
if interval_ms > 0 then
  local at = number(redis.call('ZSCORE', reserved, name))
  if at == 0 then
    at = math.max(number(redis.call('GET', rate)), now)
    redis.call('SET', rate, at + interval_ms, 'PX', at + interval_ms - now + 60000)
    redis.call('ZADD', reserved, at, name)
    redis.call('PEXPIRE', reserved, at - now + 600000)
  end
  if at > now then
    -- A place stays its own until then.
    if most > 0 then redis.call('ZADD', running, at + keep_ms, own) end
    return {at - now, unpack(kept)}
  end
  redis.call('ZREM', reserved, name)
end
if most > 0 then
  redis.call('ZREM', running, own)
  redis.call('ZREM', line, name)
  redis.call('ZADD', running, now + lease_ms, token)
  redis.call('PEXPIRE', running, 86400000)
end
return {0, unpack(kept)}
