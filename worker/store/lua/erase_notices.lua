-- Take the notices that name one conversation out of a part of its shard's stream.
--
-- after: id of a notice, or '0': those behind it are looked at, at most so many.
-- Returns {how many were taken out, id of the last that was looked at, or '' when it was the last of all}. Twice for one
-- call: the second time finds none.

finish_even_when_full(notices)
local found = redis.call('XRANGE', notices, '(' .. after, '+', 'COUNT', most)
local erased, ending = 0, '\n' .. name
for _, entry in ipairs(found) do
  if string.sub(entry[2][2], -#ending) == ending then erased = erased + redis.call('XDEL', notices, entry[1]) end
end
return {erased, #found == most and found[#found][1] or ''}
