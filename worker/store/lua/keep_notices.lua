-- Say that notices are kept in this shard, with which bounds, and drop those that are too old.
--
-- most_bytes: of the shard's notices. age_ms: how long each is kept. told_ms: for so long it holds for processes that are not told.
-- Returns how many were dropped. Twice for one call: the second time changes nothing but the time.

finish_even_when_full(notices)
local now = clock()
redis.call('HSET', notices_kept, 'until', now + told_ms, 'bytes', most_bytes, 'ms', age_ms)
local dropped = redis.call('XTRIM', notices, 'MINID', math.max(0, now - age_ms))
if dropped > 0 then redis.call('HINCRBY', notices_kept, 'dropped', dropped) end
-- Should notices be switched off, the last of them do not stay for ever.
redis.call('PEXPIRE', notices, 2 * age_ms)
return dropped
