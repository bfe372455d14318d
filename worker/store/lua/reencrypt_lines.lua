-- Put other lines in the place of those that were read, unless they are gone by now.
--
-- lines: a list. texts: line as it was read, line to put, and so on.
-- Returns how many were put. Twice for one call: the second time finds none as it was read and changes nothing. The list
-- expires as before.

begin_only_with_room(lines)
local put = 0
for index = 1, #texts, 2 do
  local place = redis.call('LPOS', lines, texts[index])
  if place then
    redis.call('LSET', lines, place, texts[index + 1])
    put = put + 1
  end
end
return put
