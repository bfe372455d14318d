-- Plan a touch that a producer asks for, in place of the one that was planned.
--
-- journal: of the event; other_journal: of the event when another one has its id, or the same again when that cannot be;
-- other_id: the id that belongs to it. event: as JSON, content. channel: '' when it brings none.
-- left_out: names of parts that were left out of it, and reasons, or ''. conversation_ms, timeline_ms: retentions.
-- most_ahead_ms: how far from now a touch may be.
-- plan_as_read: only while this is the plan and a touch is planned, or ''. call: names the act and no other, or ''.
-- Returns {status, position}: scheduled | duplicate | no_channel | gone (that plan is over) | too_far. Twice for
-- one event, or for one call: the second time changes nothing; for one call it answers the same.

-- Whatever is planned has a moment after 0, which stands for none: a time that is given as 0 is in the past, no more.
local at = math.max(1, not_before_ms)
if call ~= '' and rare.done_before(conversation, 'move', call, name) then
  -- What was forgotten meanwhile is not named again.
  return {redis.call('EXISTS', conversation) == 1 and 'scheduled' or 'gone', 0}
end
local known, id = redis.call('HMGET', journal, 'kind', 'derived_from'), event_id
if (known[2] and known[2] ~= '') or (other_journal ~= journal and redis.call('EXISTS', other_journal) == 1) then
  known, id = redis.call('HMGET', other_journal, 'kind'), other_id
end
if known[1] and known[1] ~= 'refused' then
  local position = redis.call('LPOS', inbox, id)
  return {'duplicate', position and position + 1 or 0}
end
if channel == '' and redis.call('HEXISTS', conversation, 'channel') == 0 then
  return {'no_channel', 0}
end
if redis.call('HGET', conversation, 'touch_event') == event then
  return {'scheduled', 0}
end

if plan_as_read ~= '' then
  local is_planned = redis.call('ZSCORE', follow_ups, name)
  if not is_planned or (redis.call('HGET', conversation, 'plan') or '0') ~= plan_as_read then return {'gone', 0} end
end

begin_only_with_room(conversation)
local now = clock()
if at > now + most_ahead_ms then return {'too_far', 0} end
if channel ~= '' then redis.call('HSET', conversation, 'channel', channel) end
redis.call('HINCRBY', conversation, 'plan', 1)
plan_touch(conversation, follow_ups, timeline, name, now, at, rule)
-- What is asked for in the past is due now, and late from now on.
redis.call('HSET', conversation, 'touch_event', event, 'touch_requested', at, 'touch_at', math.max(at, now))
if left_out ~= '' then note(timeline, now, 'left out', left_out, event_id) end
redis.call('LTRIM', timeline, -timeline_entries, -1)
if redis.call('EXISTS', inbox) == 0 then
  redis.call('PEXPIRE', timeline, timeline_ms)
  expire_quiet(conversation, follow_ups, name, now, conversation_ms)
end
if call ~= '' then rare.remember_done(conversation, 'move', call, name, 1) end
return {'scheduled', 0}
