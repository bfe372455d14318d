-- Make conversations of one shard due now, the longest waiting first; one that runs or is held for itself stays.
--
-- KEYS 1 agenda  2 conversation prefix  3 inbox prefix  4 journal prefix
-- ARGV conversation names
-- Returns how many were woken.

local now, woken = clock(), 0
for _, name in ipairs(ARGV) do
  local id = redis.call('LINDEX', KEYS[3] .. name, 0)
  local state = redis.call('HMGET', KEYS[2] .. name, 'lease_until', 'hold_until')
  if id and number(state[1]) <= now and number(state[2]) <= now then
    -- A time in the past is due; the time of acceptance also puts the due ones in their original order.
    redis.call('ZADD', KEYS[1], redis.call('HGET', KEYS[4] .. id .. ' ' .. name, 'accepted_at'), name)
    redis.call('HDEL', KEYS[2] .. name, 'rings')
    woken = woken + 1
  end
end
return woken
