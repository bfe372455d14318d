-- Whether a call with a persona's key may be made now, by all processes together.
--
-- KEYS 1 rate: milliseconds of the next free moment  2 reserved: conversation -> its moment  3 running  4 line  5 errands
-- ARGV 1 conversation name  2 token  3 ms between two calls, or 0  4 most calls at once, or 0  5 lease ms
--      6 ms for which a place is kept for a conversation  7 persona  8 since when it waits, ms
-- Returns {0 = go | milliseconds until its moment | -1 = it waits in line, and is woken; names of conversations for which
-- a place is kept now: wake them}. Moments are handed out in the order of asking, places to those who wait longest. Twice
-- with the same token: the same answer.

local name, token, persona = ARGV[1], ARGV[2], ARGV[7]
local interval, most, lease_ms, keep_ms = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local rate, reserved, running, line = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now, kept, own = clock(), {}, 'for ' .. ARGV[1]

if redis.call('ZSCORE', running, token) then return {0} end
finish_even_when_full(running)
if most > 0 then
  kept = keep_places(running, line, most, now, keep_ms)
  if not redis.call('ZSCORE', running, own) and redis.call('ZCARD', running) >= most then
    redis.call('ZADD', line, 'NX', ARGV[8], name)
    redis.call('PEXPIRE', line, 86400000)
    look_again(running, line, KEYS[5], persona)
    return {-1, unpack(kept)}
  end
end
redis.call('ZREMRANGEBYSCORE', reserved, '-inf', now - 600000)
if interval > 0 then
  local at = number(redis.call('ZSCORE', reserved, name))
  if at == 0 then
    at = math.max(number(redis.call('GET', rate)), now)
    redis.call('SET', rate, at + interval, 'PX', at + interval - now + 60000)
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
