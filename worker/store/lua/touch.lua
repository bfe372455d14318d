-- Move, drop or miss a touch, or plan one where none is.
--
-- KEYS 1 conversation  2 inbox  3 follow_ups  4 timeline
-- ARGV 1 conversation name  2 plan as it was read, or ''  3 due as it was read, or '' = none was planned
--      4 move (the policy means it for then) | wait (only looked at again then) | drop | miss | cancel (whatever it is)
--      5 milliseconds of the next touch, or '' = none  6 its rule, or why there is none
--      7 for miss: why it was missed  8 its next step  9 quiet from
--      10 conversation retention ms  11 timeline retention ms  12 timeline entries
-- Returns 1 when it was changed, 0 when somebody else has changed it since it was read.
-- Twice for one call: the second time finds it changed, answers 0 and changes nothing.

local conversation, inbox, follow_ups, timeline = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local name, what, at, rule = ARGV[1], ARGV[4], ARGV[5], ARGV[6]
local now = clock()
local due = redis.call('ZSCORE', follow_ups, name)
local state = redis.call('HMGET', conversation, 'plan', 'touch_rule')

if what == 'cancel' then
  if not due then return 0 end
else
  local same_due = (due and tonumber(due) or '') == (tonumber(ARGV[3]) or '')
  if (state[1] or '') ~= ARGV[2] or not same_due then return 0 end
end

finish_even_when_full(conversation)
if what == 'move' or what == 'wait' then
  if not due then
    redis.call('HINCRBY', conversation, 'plan', 1)
    plan_touch(conversation, follow_ups, timeline, name, now, at, rule)
  else
    redis.call('ZADD', follow_ups, at, name)
    if what == 'move' then redis.call('HSET', conversation, 'touch_at', at) end
    redis.call('HSET', conversation, 'touch_rule', rule)
    -- What waits for a gate is moved every few minutes; the timeline says it once.
    if what == 'move' or state[2] ~= rule then note(timeline, now, 'follow-up moved', tonumber(at), rule) end
  end
elseif what == 'miss' then
  note(timeline, now, 'follow-up missed', ARGV[7])
  redis.call('HINCRBY', conversation, 'plan', 1)
  redis.call('HSET', conversation, 'plan_step', ARGV[8], 'quiet_from', ARGV[9])
  if at ~= '' then
    plan_touch(conversation, follow_ups, timeline, name, now, at, rule)
  else
    drop_touch(conversation, follow_ups, timeline, name, now, rule)
  end
else
  drop_touch(conversation, follow_ups, timeline, name, now, rule)
end

redis.call('LTRIM', timeline, -tonumber(ARGV[12]), -1)
if redis.call('EXISTS', inbox) == 0 then
  redis.call('PEXPIRE', timeline, ARGV[11])
  expire_quiet(conversation, follow_ups, name, now, ARGV[10])
end
return 1
