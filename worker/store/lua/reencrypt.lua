-- Put other texts in the place of those that were read, unless somebody has changed or removed them since.
--
-- KEYS 1 hash of a conversation or an event
-- ARGV field, text as it was read, text to put; and so on
-- Returns how many were put. Twice for one call: the second time finds none as it was read and changes nothing. The hash
-- expires as before, and what has expired does not come back.

begin_only_with_room(KEYS[1])
local put = 0
for index = 1, #ARGV, 3 do
  if redis.call('HGET', KEYS[1], ARGV[index]) == ARGV[index + 1] then
    redis.call('HSET', KEYS[1], ARGV[index], ARGV[index + 2])
    put = put + 1
  end
end
return put
