-- A turn that has lost its lease made no call: that its step stayed open is no sign of poison.
--
-- journal: of the head. counter: asks_handed_over | sends_handed_over.
-- Returns 1, or 0 when the event has ended. Twice for one turn: the second time changes nothing.

local past = redis.call('HMGET', journal, 'kind', 'fate', 'not_called')
if not past[1] or past[2] then return 0 end
if string.find(past[3] or '', token, 1, true) then return 1 end
finish_even_when_full(journal)
redis.call('HINCRBY', journal, counter, 1)
-- One that comes late comes after few others.
redis.call('HSET', journal, 'not_called', string.sub((past[3] or '') .. ' ' .. token, -200))
return 1
