-- Move, drop or miss a touch, or plan one where none is.
--
-- plan_as_read, due_as_read: as the caller has read them, or ''; due '' = none was planned.
-- change: move (the policy means it for then) | wait (only looked at again then) | drop | miss | cancel (whatever it is).
-- at: milliseconds of the next touch, or '' = none. rule: its rule, or why there is none.
-- missed: for miss, why; step, quiet_from: for miss, the plan's next ones. conversation_ms, timeline_ms: retentions.
-- call: for cancel, names the act and no other, or ''.
-- Returns 1 when it was changed, 0 when somebody else has changed it since it was read.
-- Twice for one call: the second time finds it changed, answers 0 and changes nothing; with a
-- `call` it answers the same.

local now = clock()
local due = redis.call('ZSCORE', follow_ups, name)
local state = redis.call('HMGET', conversation, 'plan', 'touch_rule')

if change == 'cancel' then
  -- What was forgotten meanwhile is not named again.
  if call ~= '' and rare.done_before(conversation, change, call, name) then return redis.call('EXISTS', conversation) end
  if not due then return 0 end
else
  local same_due = (due and tonumber(due) or '') == (tonumber(due_as_read) or '')
  if (state[1] or '') ~= plan_as_read or not same_due then return 0 end
end

finish_even_when_full(conversation)
if change == 'move' or change == 'wait' then
  if not due then
    redis.call('HINCRBY', conversation, 'plan', 1)
    plan_touch(conversation, follow_ups, timeline, name, now, at, rule)
  else
    redis.call('ZADD', follow_ups, at, name)
    if change == 'move' then redis.call('HSET', conversation, 'touch_at', at) end
    redis.call('HSET', conversation, 'touch_rule', rule)
    -- What waits for a gate is moved every few minutes; the timeline says it once.
    if change == 'move' or state[2] ~= rule then note(timeline, now, 'follow-up moved', tonumber(at), rule) end
  end
elseif change == 'miss' then
  note(timeline, now, 'follow-up missed', missed)
  redis.call('HINCRBY', conversation, 'plan', 1)
  redis.call('HSET', conversation, 'plan_step', step, 'quiet_from', quiet_from)
  if at ~= '' then
    plan_touch(conversation, follow_ups, timeline, name, now, at, rule)
  else
    drop_touch(conversation, follow_ups, timeline, name, now, rule)
  end
else
  drop_touch(conversation, follow_ups, timeline, name, now, rule)
end

redis.call('LTRIM', timeline, -timeline_entries, -1)
if redis.call('EXISTS', inbox) == 0 then
  redis.call('PEXPIRE', timeline, timeline_ms)
  expire_quiet(conversation, follow_ups, name, now, conversation_ms)
end
if call ~= '' then rare.remember_done(conversation, change, call, name, 1) end
return 1
