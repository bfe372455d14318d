-- Take the errands of one shard that are due. Each is due again, should this process end before it is done; a try of a
-- closed gate is due again after its interval, whatever becomes of this one.
--
-- KEYS 1 errands  2 persona prefix  3 channel prefix
-- ARGV 1 at most that many  2 ms after which another process takes one that was not finished
-- Returns the errands. Any number of callers share the work.

finish_even_when_full(KEYS[1])
local now = clock()
local taken = {}
for _, errand in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, tonumber(ARGV[1]))) do
  local what, gate, owner = string.match(errand, '^(%l+) (%l+) (.+)$')
  local again = now + tonumber(ARGV[2])
  if what == 'probe' then
    local closed = (gate == 'channel' and KEYS[3] or KEYS[2]) .. owner
    local interval = redis.call('HGET', closed, gate .. '_interval')
    again = interval and now + tonumber(interval)
    if again then redis.call('HSET', closed, gate .. '_until', again) end
  end
  if again then
    redis.call('ZADD', KEYS[1], again, errand)
    taken[#taken + 1] = errand
  else
    redis.call('ZREM', KEYS[1], errand)
  end
end
return taken
