-- An operator takes a conversation over from the persona.
--
-- claimed_by: who and why. timeline_ms: retention.
-- Returns {'claimed' | 'already' | 'unknown', who and why, since when, 1 = a delivery is under way}.
-- A takeover that came by itself becomes the operator's; one of another operator stays. Twice for one call: the second
-- time answers the same and changes nothing.

if redis.call('EXISTS', conversation) == 0 then
  return {'unknown', '', 0, 0}
end
local now = clock()
local state = redis.call('HMGET', conversation, 'taken_over', 'taken_over_at', 'owner', 'lease_until')
local reason, since = state[1], number(state[2])
local by_hand = reason and reason ~= 'livechat' and reason ~= 'escalated'
if not by_hand then
  finish_even_when_full(conversation)
  reason, since = claimed_by, now
  take_over({conversation = conversation, taken_over = taken_over, follow_ups = follow_ups, timeline = timeline}, name, reason, now)
  local first = redis.call('LINDEX', inbox, 0)
  if not first then
    redis.call('PEXPIRE', timeline, timeline_ms)
  elseif not asks(redis.call('HGET', journal_prefix .. first .. ' ' .. name, 'kind')) then
    -- A follow-up that was pulled ends now, also one that is held.
    redis.call('ZADD', agenda, 'XX', now, name)
  end
end
local delivering = 0
if state[3] and number(state[4]) > now then
  local head = redis.call('LINDEX', inbox, 0)
  local step = head and redis.call('HGET', journal_prefix .. head .. ' ' .. name, 'step')
  delivering = step == 'delivering' and 1 or 0
end
return {reason == claimed_by and 'claimed' or 'already', reason, since, delivering}
