-- Renew leases of one shard.
--
-- leases: for each of the conversations its name, the token, the fence. A copy of `begin` that comes late can have
-- begun another turn under the token.
-- Returns one number for each conversation: 1 renewed, 0 lost.

finish_even_when_full(agenda)
local lease_until = clock() + lease_ms
local answer = {}
for index, conversation in ipairs(conversations) do
  local name, token, fence = unpack(leases, 3 * index - 2, 3 * index)
  local lease = redis.call('HMGET', conversation, 'owner', 'fence')
  if lease[1] == token and lease[2] == fence then
    redis.call('HSET', conversation, 'lease_until', lease_until)
    redis.call('ZADD', agenda, lease_until, name)
    answer[index] = 1
  else
    answer[index] = 0
  end
end
return answer
