-- An operator seals a conversation, or takes its seal away.
--
-- KEYS 1 conversation  2 inbox  3 sealed  4 follow_ups  5 timeline
-- ARGV 1 conversation name  2 seal | unseal  3 who and why  4 name of this call  5 timeline retention ms
--      6 conversation retention ms
-- Returns 'done' | 'nothing' (it is so already) | 'unknown'. Twice for one call: the second time answers the same and
-- changes nothing.

local conversation, name, sealing = KEYS[1], ARGV[1], ARGV[2] == 'seal'
if redis.call('EXISTS', conversation) == 0 then return 'unknown' end
local state = redis.call('HMGET', conversation, 'sealed', 'sealing')
if state[2] == ARGV[4] then return 'done' end
if sealing == (state[1] and true or false) then return 'nothing' end

finish_even_when_full(conversation)
local now = clock()
local idle = redis.call('EXISTS', KEYS[2]) == 0
redis.call('HSET', conversation, 'sealing', ARGV[4])
if sealing then
  redis.call('HSET', conversation, 'sealed', now, 'sealed_by', ARGV[3], 'plan_step', 0)
  redis.call('HSET', KEYS[3], name, now)
  redis.call('HINCRBY', conversation, 'plan', 1)
  drop_touch(conversation, KEYS[4], KEYS[5], name, now, 'sealed by an operator')
  redis.call('PERSIST', conversation)
else
  redis.call('HDEL', conversation, 'sealed', 'sealed_by')
  redis.call('HDEL', KEYS[3], name)
  if idle then expire_quiet(conversation, KEYS[4], name, now, ARGV[6]) end
end
note(KEYS[5], now, sealing and 'sealed by' or 'unsealed by', ARGV[3])
if idle then redis.call('PEXPIRE', KEYS[5], ARGV[5]) end
return 'done'
