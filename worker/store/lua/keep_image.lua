-- Remember where the image of an event is hosted, unless the event has been forgotten meanwhile.
--
-- KEYS 1 journal of the event
-- ARGV 1 address (content)
-- Returns 1, or 0 when there is no such event any more. Twice for one call: the second time changes nothing.

if redis.call('HEXISTS', KEYS[1], 'kind') == 0 then return 0 end
finish_even_when_full(KEYS[1])
redis.call('HSET', KEYS[1], 'image_url', ARGV[1])
return 1
