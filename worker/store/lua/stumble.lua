-- Count that a turn was ended by an error of our own.
--
-- journal: of the head. called: a call to the outside may have been made in this attempt. answered_so_far: how many events of
-- the persona were answered, in all shards.
-- Returns {'counted' | 'lost', how often so far, how many of these count against the event, 1 = its answer is stored}.
-- It counts against the event when a call may have been made, or when another event of the persona was answered since
-- its last error: while nothing is answered at all, the error is not this event's own.
-- Twice for one caller: the second time answers the same and changes nothing.

local lease = redis.call('HMGET', conversation, 'owner', 'fence')
if lease[1] ~= token or lease[2] ~= fence then return {'lost', 0, 0, 0} end
local known = redis.call('HMGET', journal, 'stumbles', 'reply', 'farewell')
local past, replied = known[1] or '', (known[2] and not known[3]) and 1 or 0
local all, own, answered, by = string.match(past, '^(%d+) (%d+) (%d+) (%S+)$')
if by == token then return {'counted', tonumber(all), tonumber(own), replied} end
local counts = called or (answered and answered ~= answered_so_far)
all, own = number(all) + 1, number(own) + (counts and 1 or 0)
finish_even_when_full(conversation)
redis.call('HSET', journal, 'stumbles', all .. ' ' .. own .. ' ' .. answered_so_far .. ' ' .. token)
return {'counted', all, own, replied}
