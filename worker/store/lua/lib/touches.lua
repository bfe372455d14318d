-- Put before the scripts that plan, move or end the next touch of a conversation.

-- Returns whether one was planned.
local function end_touch(conversation, follow_ups, name)
  -- What is not in the index has no fields either.
  if redis.call('ZREM', follow_ups, name) == 0 then return false end
  redis.call('HDEL', conversation, 'touch_at', 'touch_rule', 'touch_event', 'touch_requested')
  return true
end

local function drop_touch(conversation, follow_ups, timeline, name, now, reason)
  if end_touch(conversation, follow_ups, name) then note(timeline, now, 'follow-up dropped', reason) end
end

-- The plan is over, also one that is just being dispatched.
local function end_plan(conversation, follow_ups, timeline, name, now, reason)
  redis.call('HSET', conversation, 'plan_step', 0, 'quiet_from', 0)
  redis.call('HINCRBY', conversation, 'plan', 1)
  drop_touch(conversation, follow_ups, timeline, name, now, reason)
end

-- In place of the one that was planned, if any.
local function plan_touch(conversation, follow_ups, timeline, name, now, at, rule)
  redis.call('HDEL', conversation, 'touch_event', 'touch_requested')
  redis.call('HSET', conversation, 'touch_at', at, 'touch_rule', rule)
  redis.call('ZADD', follow_ups, at, name)
  note(timeline, now, 'follow-up planned', tonumber(at), rule)
end

-- A quiet conversation expires, but not before its next touch has been looked at. `frozen`: its fields sealed,
-- taken_over and consent, `planned`: its field touch_at, false = there is none, when the script has just read them. What is
-- in the index has that field.
local function expire_quiet(conversation, follow_ups, name, now, retention, frozen, planned)
  frozen = frozen or redis.call('HMGET', conversation, 'sealed', 'taken_over', 'consent')
  if not frozen[1] and not frozen[2] and frozen[3] ~= 'out' then
    local due = planned == false and 0 or number(redis.call('ZSCORE', follow_ups, name))
    redis.call('PEXPIRE', conversation, due > now and stamp(retention + due - now) or retention)
  end
end
