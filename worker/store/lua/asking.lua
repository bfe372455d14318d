-- The call to the persona is made now: until here the turn has asked nothing.
--
-- KEYS 1 conversation  2 journal of the head
-- ARGV 1 token  2 fence
-- Returns 1, or 0 when the lease is lost and no call may be made. Twice for one call: changes nothing the second time.

local lease = redis.call('HMGET', KEYS[1], 'owner', 'fence')
if lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 0 end
finish_even_when_full(KEYS[1])
redis.call('HSET', KEYS[2], 'step', 'asking')
return 1
