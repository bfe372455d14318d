-- Put other texts in the place of those that were read, unless somebody has changed or removed them since.
--
-- holder: hash of a conversation or an event. texts: field, text as it was read, text to put, and so on.
-- Returns how many were put. Twice for one call: the second time finds none as it was read and changes nothing. The hash
-- expires as before, and what has expired does not come back.

begin_only_with_room(holder)
local put = 0
for index = 1, #texts, 3 do
  if redis.call('HGET', holder, texts[index]) == texts[index + 1] then
    redis.call('HSET', holder, texts[index], texts[index + 2])
    put = put + 1
  end
end
return put
