-- Remember where the image of an event is hosted, unless the event has been forgotten meanwhile.
--
-- journal: of the event. image_url: content. accepted_at: of the event when its turn began: another one may have its id since.
-- Returns 1, or 0 when there is no such event any more. Twice for one call: the second time changes nothing.

local accepted = redis.call('HMGET', journal, 'accepted_at', 'first_accepted_at', 'accepted_as')
if not is_accepted_as(accepted_at, unpack(accepted, 1, 3)) then return 0 end
finish_even_when_full(journal)
redis.call('HSET', journal, 'image_url', image_url)
return 1
