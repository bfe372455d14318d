-- Let go of a lease in the middle of a turn, because its process ends: another worker goes on at once.
--
-- KEYS 1 conversation  2 agenda  3 timeline  4 journal of the head
-- ARGV 1 conversation name  2 token  3 fence
-- Returns 1, or 0 when the lease was lost before. Twice for one caller: the second time finds it lost.

local now = clock()
local lease = redis.call('HMGET', KEYS[1], 'owner', 'fence')
if lease[1] ~= ARGV[2] or lease[2] ~= ARGV[3] then return 0 end
finish_even_when_full(KEYS[1])
-- The step stays open, so that the next turn knows that the call may have been acted on.
local step = redis.call('HGET', KEYS[4], 'step')
if step == 'asking' or step == 'delivering' then
  redis.call('HINCRBY', KEYS[4], step == 'asking' and 'asks_handed_over' or 'sends_handed_over', 1)
end
redis.call('HDEL', KEYS[1], 'owner', 'lease_until')
redis.call('ZADD', KEYS[2], now, ARGV[1])
note(KEYS[3], now, 'handed over')
return 1
