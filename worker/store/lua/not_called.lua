-- A turn that has lost its lease made no call: that its step stayed open is no sign of poison.
--
-- journal: of the head. counter: asks_handed_over | sends_handed_over.
-- Returns 1, or 0 when the event has ended.

local past = redis.call('HMGET', journal, 'kind', 'fate')
if not past[1] or past[2] then return 0 end
finish_even_when_full(journal)
redis.call('HINCRBY', journal, counter, 1)
return 1
