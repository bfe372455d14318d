-- Renew leases of one shard.
--
-- names_and_tokens: for each of the conversations its name, then the token.
-- Returns one number for each conversation: 1 renewed, 0 lost.

finish_even_when_full(agenda)
local lease_until = clock() + lease_ms
local answer = {}
for index, conversation in ipairs(conversations) do
  local name, token = names_and_tokens[2 * index - 1], names_and_tokens[2 * index]
  if redis.call('HGET', conversation, 'owner') == token then
    redis.call('HSET', conversation, 'lease_until', lease_until)
    redis.call('ZADD', agenda, lease_until, name)
    answer[index] = 1
  else
    answer[index] = 0
  end
end
return answer
