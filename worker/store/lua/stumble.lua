-- Count that a turn was ended by an error of our own.
--
-- KEYS 1 conversation  2 journal of the head
-- ARGV 1 conversation name  2 token  3 fence  4 '1': a call to the outside may have been made in this attempt
--      5 how many events of the persona were answered so far, in all shards
-- Returns {'counted' | 'lost', how often so far, how many of these count against the event, 1 = its answer is stored}.
-- It counts against the event when a call may have been made, or when another event of the persona was answered since
-- its last error: while nothing is answered at all, the error is not this event's own.
-- Twice for one caller: the second time answers the same and changes nothing.

local journal = KEYS[2]
local lease = redis.call('HMGET', KEYS[1], 'owner', 'fence')
if lease[1] ~= ARGV[2] or lease[2] ~= ARGV[3] then return {'lost', 0, 0, 0} end
local known = redis.call('HMGET', journal, 'stumbles', 'reply', 'farewell')
local past, replied = known[1] or '', (known[2] and not known[3]) and 1 or 0
local all, own, answered, by = string.match(past, '^(%d+) (%d+) (%d+) (%S+)$')
if by == ARGV[2] then return {'counted', tonumber(all), tonumber(own), replied} end
local counts = ARGV[4] == '1' or (answered and answered ~= ARGV[5])
all, own = number(all) + 1, number(own) + (counts and 1 or 0)
finish_even_when_full(KEYS[1])
redis.call('HSET', journal, 'stumbles', all .. ' ' .. own .. ' ' .. ARGV[5] .. ' ' .. ARGV[2])
return {'counted', all, own, replied}
