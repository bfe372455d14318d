-- Find the conversations of one shard that are due and move each to the time of its next ring, should this one be lost.
--
-- KEYS 1 agenda  2 conversation prefix  3 inbox prefix  4 journal prefix
-- ARGV 1 at most so many  2 grace ms  3 grace limit ms
-- Returns conversation name, kind of its head, when it was due, ... ; any number of callers share the work.

local now = clock()
local answer = {}
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[1]))
for index = 1, #due, 2 do
  local name = due[index]
  local id = redis.call('LINDEX', KEYS[3] .. name, 0)
  if id then
    local rings = redis.call('HINCRBY', KEYS[2] .. name, 'rings', 1)
    local grace = math.min(tonumber(ARGV[2]) * 2 ^ math.min(rings - 1, 16), tonumber(ARGV[3]))
    redis.call('ZADD', KEYS[1], now + grace, name)
    answer[#answer + 1] = name
    answer[#answer + 1] = redis.call('HGET', KEYS[4] .. id .. ' ' .. name, 'kind') or ''
    answer[#answer + 1] = due[index + 1]
  else
    redis.call('ZREM', KEYS[1], name)
  end
end
return answer
