-- Take the errands of one shard that are due. Each is due again, should this process end before it is done; a try of a
-- closed gate is due again after its interval, whatever becomes of this one.
--
-- most: at most so many. again_ms: after so long another process takes one that was not finished.
-- Returns the errands. Any number of callers share the work.

finish_even_when_full(errands)
local now = clock()
local taken = {}
for _, errand in ipairs(redis.call('ZRANGEBYSCORE', errands, '-inf', now, 'LIMIT', 0, most)) do
  local what, gate, owner = string.match(errand, '^(%l+) (%l+) (.+)$')
  local again = now + again_ms
  if what == 'probe' then
    local closed = (gate == 'channel' and channel_prefix or persona_prefix) .. owner
    local interval = redis.call('HGET', closed, gate .. '_interval')
    again = interval and now + tonumber(interval)
    if again then redis.call('HSET', closed, gate .. '_until', again) end
  end
  if again then
    redis.call('ZADD', errands, again, errand)
    taken[#taken + 1] = errand
  else
    redis.call('ZREM', errands, errand)
  end
end
return taken
