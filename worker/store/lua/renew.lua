-- Renew leases of one shard.
--
-- KEYS 1 agenda  2.. conversations
-- ARGV 1 lease ms  2.. for each conversation: its name, the token
-- Returns one number for each conversation: 1 renewed, 0 lost.

finish_even_when_full(KEYS[1])
local lease_until = clock() + tonumber(ARGV[1])
local answer = {}
for index = 2, #KEYS do
  local name, token = ARGV[2 * index - 2], ARGV[2 * index - 1]
  if redis.call('HGET', KEYS[index], 'owner') == token then
    redis.call('HSET', KEYS[index], 'lease_until', lease_until)
    redis.call('ZADD', KEYS[1], lease_until, name)
    answer[index - 1] = 1
  else
    answer[index - 1] = 0
  end
end
return answer
