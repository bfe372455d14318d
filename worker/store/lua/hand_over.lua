-- Let go of a lease in the middle of a turn, because its process ends: another worker goes on at once.
--
-- journal: of the head.
-- Returns 1, or 0 when the lease was lost before. Twice for one caller: the second time finds it lost.

local now = clock()
local lease = redis.call('HMGET', conversation, 'owner', 'fence')
if lease[1] ~= token or lease[2] ~= fence then return 0 end
finish_even_when_full(conversation)
-- The step stays open, so that the next turn knows that the call may have been acted on.
local step = redis.call('HGET', journal, 'step')
if step == 'asking' or step == 'delivering' then
  redis.call('HINCRBY', journal, step == 'asking' and 'asks_handed_over' or 'sends_handed_over', 1)
end
redis.call('HDEL', conversation, 'owner', 'lease_until')
redis.call('ZADD', agenda, now, name)
note(timeline, now, 'handed over')
return 1
