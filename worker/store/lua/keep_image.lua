-- Remember where the image of an event is hosted, unless the event has been forgotten meanwhile.
--
-- KEYS 1 journal of the event
-- ARGV 1 address (content)  2 accepted_at of the event when its turn began: another one may have its id since
-- Returns 1, or 0 when there is no such event any more. Twice for one call: the second time changes nothing.

local accepted = redis.call('HMGET', KEYS[1], 'accepted_at', 'first_accepted_at', 'accepted_as')
if not is_accepted_as(ARGV[2], unpack(accepted, 1, 3)) then return 0 end
finish_even_when_full(KEYS[1])
redis.call('HSET', KEYS[1], 'image_url', ARGV[1])
return 1
