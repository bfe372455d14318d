-- Let a conversation that waits for a closed gate try it with its next turn.
--
-- KEYS 1 conversation  2 inbox  3 agenda  4 journal prefix  5 waiting
-- ARGV 1 conversation name  2 gate  3 ms in which the turn has to begin  4 grace ms
-- Returns 1, or 0 when it cannot try now; then it waits no longer for the gate (its next turn finds it closed again).
-- Twice for one call: the second time changes nothing but times.

local conversation, name, now = KEYS[1], ARGV[1], clock()
local id = redis.call('LINDEX', KEYS[2], 0)
local state = redis.call('HMGET', conversation, 'lease_until', 'hold_until', 'taken_over')
local answered = id and redis.call('HEXISTS', KEYS[4] .. id .. ' ' .. name, 'reply') == 1
if not id or state[3] or answered ~= (ARGV[2] == 'channel') then
  redis.call('ZREM', KEYS[5], name)
  return 0
end
finish_even_when_full(conversation)
local score = number(redis.call('ZSCORE', KEYS[5], name))
redis.call('ZADD', KEYS[5], score >= LAST_TO_TRY and LAST_TO_TRY + now or now, name)
if number(state[1]) > now or number(state[2]) > now then return 0 end
redis.call('HSET', conversation, 'probing', ARGV[2] .. ' ' .. (now + tonumber(ARGV[3])))
redis.call('HDEL', conversation, 'rings')
redis.call('ZADD', KEYS[3], now + tonumber(ARGV[4]), name)
return 1
