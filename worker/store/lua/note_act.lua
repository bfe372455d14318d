-- Note what an operator did.
--
-- act: JSON without its time; the name of the call makes it unique. entries: how many are kept. looked_at: how many of the newest
-- ones are searched for the same.
-- Returns 1, or 0 when it is noted already: twice for one call, the second time changes nothing.

for _, line in ipairs(redis.call('LRANGE', audit, 0, looked_at - 1)) do
  if string.match(line, '^%d+ (.*)$') == act then return 0 end
end
-- What was done is done, also while the store is full.
finish_even_when_full(audit)
redis.call('LPUSH', audit, stamp(clock()) .. ' ' .. act)
redis.call('LTRIM', audit, 0, entries - 1)
return 1
