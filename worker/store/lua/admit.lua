-- Whether a call with a persona's key may be made now, by all processes together.
--
-- KEYS 1 rate: milliseconds of the next free moment  2 reserved: conversation -> its moment  3 running: token -> until
-- ARGV 1 conversation name  2 token  3 ms between two calls, or 0  4 most calls at once, or 0  5 longest call ms
-- Returns 0 = go, else milliseconds to wait. A conversation that is told to wait has its moment reserved, so moments are
-- handed out in the order of asking and nobody is told twice. Twice with the same token: the same answer.

local name, token = ARGV[1], ARGV[2]
local interval, most, longest = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local now = clock()

if redis.call('ZSCORE', KEYS[3], token) then
  return 0
end
finish_even_when_full(KEYS[3])
-- What processes that died and conversations that came to another end have left.
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 600000)
if most > 0 then
  if redis.call('ZCARD', KEYS[3]) >= most then
    return 250
  end
end
if interval > 0 then
  local reserved = number(redis.call('ZSCORE', KEYS[2], name))
  if reserved > now then
    return reserved - now
  end
  redis.call('ZREM', KEYS[2], name)
  if reserved == 0 then
    local at = math.max(number(redis.call('GET', KEYS[1])), now)
    redis.call('SET', KEYS[1], at + interval, 'PX', at + interval - now + 60000)
    if at > now then
      redis.call('ZADD', KEYS[2], at, name)
      redis.call('PEXPIRE', KEYS[2], at - now + 600000)
      return at - now
    end
  end
end
redis.call('ZADD', KEYS[3], now + longest, token)
redis.call('PEXPIRE', KEYS[3], longest)
return 0
