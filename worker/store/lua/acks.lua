-- Take the follow-ups of a persona in one shard that are to be acknowledged now. Each is due again, should this process end
-- before it is done.
--
-- most: at most so many. again_ms: after so long another process takes one that was not finished.
-- Returns their names. Any number of callers share the work.

local now = clock()
local taken = redis.call('ZRANGEBYSCORE', pulled, 0, now, 'LIMIT', 0, most)
if #taken > 0 then finish_even_when_full(pulled) end
for _, ref in ipairs(taken) do redis.call('ZADD', pulled, now + again_ms, ref) end
return taken
