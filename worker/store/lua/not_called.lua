-- A turn that has lost its lease made no call: that its step stayed open is no sign of poison.
--
-- journal: of the head. counter: asks_handed_over | sends_handed_over.
-- Returns 1, or 0 when the event has ended. Twice for one turn: the second time changes nothing.

local past = redis.call('HMGET', journal, 'kind', 'fate', 'not_called')
if not past[1] or past[2] then return 0 end
if past[3] == token then return 1 end
finish_even_when_full(journal)
redis.call('HINCRBY', journal, counter, 1)
redis.call('HSET', journal, 'not_called', token)
return 1
