-- The call to the persona is made now: until here the turn has asked nothing.
--
-- journal: of the head.
-- Returns 1, or 0 when the lease is lost and no call may be made. Twice for one call: changes nothing the second time.

local lease = redis.call('HMGET', conversation, 'owner', 'fence')
if lease[1] ~= token or lease[2] ~= fence then return 0 end
finish_even_when_full(conversation)
redis.call('HSET', journal, 'step', 'asking')
return 1
