-- An operator takes a conversation over from the persona.
--
-- KEYS 1 conversation  2 inbox  3 journal prefix  4 taken_over  5 follow_ups  6 timeline
-- ARGV 1 conversation name  2 who and why  3 timeline retention ms
-- Returns {'claimed' | 'already' | 'unknown', who and why, since when, 1 = a delivery is under way}.
-- A takeover that came by itself becomes the operator's; one of another operator stays. Twice for one call: the second
-- time answers the same and changes nothing.

local conversation, name = KEYS[1], ARGV[1]
if redis.call('EXISTS', conversation) == 0 then
  return {'unknown', '', 0, 0}
end
local now = clock()
local state = redis.call('HMGET', conversation, 'taken_over', 'taken_over_at', 'owner', 'lease_until')
local reason, since = state[1], number(state[2])
local by_hand = reason and reason ~= 'livechat' and reason ~= 'escalated'
if not by_hand then
  finish_even_when_full(conversation)
  reason, since = ARGV[2], now
  take_over({conversation = conversation, taken_over = KEYS[4], follow_ups = KEYS[5], timeline = KEYS[6]}, name, reason, now)
  if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('PEXPIRE', KEYS[6], ARGV[3]) end
end
local delivering = 0
if state[3] and number(state[4]) > now then
  local head = redis.call('LINDEX', KEYS[2], 0)
  local step = head and redis.call('HGET', KEYS[3] .. head .. ' ' .. name, 'step')
  delivering = step == 'delivering' and 1 or 0
end
return {reason == ARGV[2] and 'claimed' or 'already', reason, since, delivering}
