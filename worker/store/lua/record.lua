-- Store the persona's reply before anything is delivered. The first stored reply wins, whoever brings it.
--
-- KEYS 1 conversation  2 journal of the head  3 agenda  4 timeline  5 channel
-- ARGV 1 conversation name  2 token  3 fence  4 reply  5 lease ms  6 '1': the reply is a farewell, no answer
-- Returns {'holder' | 'taken_over' | 'closed' | 'lost' | 'settled', the reply to deliver}. `holder`: the step is now
-- "delivering", the lease is renewed, go on. `taken_over`: a person took over meanwhile; `closed`: the channel's gate is
-- closed; in both cases deliver nothing, let go of the lease.
-- Twice for one caller: the second time finds its own reply and only renews the lease.

local conversation, journal, timeline = KEYS[1], KEYS[2], KEYS[4]
local now = clock()
local past = redis.call('HMGET', journal, 'reply', 'step', 'fate')
if past[3] or not past[2] then
  return {'settled', past[1] or ''}
end
finish_even_when_full(conversation)
local reply = past[1]
local lease = redis.call('HMGET', conversation, 'owner', 'fence', 'taken_over')
local holder = lease[1] == ARGV[2] and lease[2] == ARGV[3]
if not reply then
  reply = ARGV[4]
  redis.call('HSET', journal, 'reply', reply, 'replied_at', now)
  redis.call('HDEL', journal, 'failures', 'failures_ms', 'failed')
  if ARGV[6] == '1' then redis.call('HSET', journal, 'farewell', 1) end
  note(timeline, now, holder and 'replied' or 'replied late')
end
if not holder then
  return {'lost', reply}
end
local lease_until = now + tonumber(ARGV[5])
redis.call('HSET', conversation, 'lease_until', lease_until)
redis.call('ZADD', KEYS[3], lease_until, ARGV[1])
local closed = redis.call('HEXISTS', KEYS[5], 'channel_until') == 1
if lease[3] or closed then
  -- Said "holder" to the same caller before, who did not hear it: no send came of that.
  if past[2] == 'delivering' then redis.call('HINCRBY', journal, 'sends', -1) end
  redis.call('HSET', journal, 'step', 'replied')
  return {lease[3] and 'taken_over' or 'closed', reply}
end
if past[2] ~= 'delivering' then
  redis.call('HSET', journal, 'step', 'delivering')
  redis.call('HINCRBY', journal, 'sends', 1)
end
return {'holder', reply}
