-- Let a conversation that waits for a closed gate try it with its next turn.
--
-- waiting: for this gate. try_ms: in so long the turn has to begin.
-- Returns 1, or 0 when it cannot try now; then it waits no longer for the gate (its next turn finds it closed again).
-- Twice for one call: the second time changes nothing but times.

local now = clock()
local id = redis.call('LINDEX', inbox, 0)
local state = redis.call('HMGET', conversation, 'lease_until', 'hold_until', 'taken_over')
local answered = id and redis.call('HEXISTS', journal_prefix .. id .. ' ' .. name, 'reply') == 1
if not id or state[3] or answered ~= (gate == 'channel') then
  redis.call('ZREM', waiting, name)
  return 0
end
finish_even_when_full(conversation)
local score = number(redis.call('ZSCORE', waiting, name))
redis.call('ZADD', waiting, score >= LAST_TO_TRY and LAST_TO_TRY + now or now, name)
if number(state[1]) > now or number(state[2]) > now then return 0 end
redis.call('HSET', conversation, 'probing', gate .. ' ' .. (now + try_ms))
redis.call('HDEL', conversation, 'rings')
redis.call('ZADD', agenda, now + grace_ms, name)
return 1
