-- Count that a process died which worked on this event and on nothing else.
--
-- journal: of the head.
-- Returns how many did so far, or 0 when the lease was lost. Twice for one caller: counts once.

local lease = redis.call('HMGET', conversation, 'owner', 'fence')
if lease[1] ~= token or lease[2] ~= fence then return 0 end
local so_far, by = string.match(redis.call('HGET', journal, 'killed_alone') or '', '^(%d+) (%S+)$')
if by == token then return tonumber(so_far) end
finish_even_when_full(conversation)
local count = number(so_far) + 1
redis.call('HSET', journal, 'killed_alone', count .. ' ' .. token)
return count
