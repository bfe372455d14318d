-- An operator seals a conversation, or takes its seal away.
--
-- step: seal | unseal. by: who and why. call: names this call and no other. timeline_ms, conversation_ms: retentions.
-- Returns 'done' | 'nothing' (it is so already) | 'unknown'. Twice for one call: the second time answers the same and
-- changes nothing.

local sealing = step == 'seal'
if redis.call('EXISTS', conversation) == 0 then return 'unknown' end
local state = redis.call('HMGET', conversation, 'sealed', 'sealing')
if state[2] == call then return 'done' end
if sealing == (state[1] and true or false) then return 'nothing' end

finish_even_when_full(conversation)
local now = clock()
local idle = redis.call('EXISTS', inbox) == 0
redis.call('HSET', conversation, 'sealing', call)
if sealing then
  redis.call('HSET', conversation, 'sealed', now, 'sealed_by', by, 'plan_step', 0)
  redis.call('HSET', sealed, name, now)
  redis.call('HINCRBY', conversation, 'plan', 1)
  drop_touch(conversation, follow_ups, timeline, name, now, 'sealed_by_operator')
  redis.call('PERSIST', conversation)
else
  redis.call('HDEL', conversation, 'sealed', 'sealed_by')
  redis.call('HDEL', sealed, name)
  if idle then expire_quiet(conversation, follow_ups, name, now, conversation_ms) end
end
note(timeline, now, sealing and 'sealed by' or 'unsealed by', by)
notice_conversation(conversation, name, now, sealing and 'sealed' or 'unsealed', 'operator')
if idle then redis.call('PEXPIRE', timeline, timeline_ms) end
return 'done'
