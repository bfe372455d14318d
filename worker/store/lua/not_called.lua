-- A turn that has lost its lease made no call: that its step stayed open is no sign of poison.
--
-- KEYS 1 journal of the head
-- ARGV 1 asks_handed_over | sends_handed_over
-- Returns 1, or 0 when the event has ended.

local past = redis.call('HMGET', KEYS[1], 'kind', 'fate')
if not past[1] or past[2] then return 0 end
finish_even_when_full(KEYS[1])
redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
return 1
