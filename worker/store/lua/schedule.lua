-- Plan a touch that a producer asks for, in place of the one that was planned.
--
-- KEYS 1 conversation  2 inbox  3 follow_ups  4 timeline  5 journal of the event
--      6 journal of the event when another one has its id, or KEYS 5 again when that cannot be
-- ARGV 1 conversation name  2 event id  3 the event as JSON  4 milliseconds of its not_before  5 rule
--      6 channel or ''  7 conversation retention ms  8 timeline retention ms  9 timeline entries
--      10 the id that belongs to KEYS 6  11 what was left out of the event: names of parts and reasons, or ''
-- Returns {status, position}: scheduled | duplicate | no_channel. Twice for one event: the second time changes nothing.

local conversation, inbox, follow_ups, timeline = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- Whatever is planned has a moment after 0, which stands for none: a time that is given as 0 is in the past, no more.
local name, at = ARGV[1], math.max(1, tonumber(ARGV[4]))
local known, id = redis.call('HMGET', KEYS[5], 'kind', 'derived_from'), ARGV[2]
if (known[2] and known[2] ~= '') or (KEYS[6] ~= KEYS[5] and redis.call('EXISTS', KEYS[6]) == 1) then
  known, id = redis.call('HMGET', KEYS[6], 'kind'), ARGV[10]
end
if known[1] and known[1] ~= 'refused' then
  local position = redis.call('LPOS', inbox, id)
  return {'duplicate', position and position + 1 or 0}
end
if ARGV[6] == '' and redis.call('HEXISTS', conversation, 'channel') == 0 then
  return {'no_channel', 0}
end
if redis.call('HGET', conversation, 'touch_event') == ARGV[3] then
  return {'scheduled', 0}
end

begin_only_with_room(conversation)
local now = clock()
if ARGV[6] ~= '' then redis.call('HSET', conversation, 'channel', ARGV[6]) end
redis.call('HINCRBY', conversation, 'plan', 1)
plan_touch(conversation, follow_ups, timeline, name, now, at, ARGV[5])
-- What is asked for in the past is due now, and late from now on.
redis.call('HSET', conversation, 'touch_event', ARGV[3], 'touch_requested', at, 'touch_at', math.max(at, now))
if ARGV[11] ~= '' then note(timeline, now, 'left out', ARGV[11], ARGV[2]) end
redis.call('LTRIM', timeline, -tonumber(ARGV[9]), -1)
if redis.call('EXISTS', inbox) == 0 then
  redis.call('PEXPIRE', timeline, ARGV[8])
  expire_quiet(conversation, follow_ups, name, now, ARGV[7])
end
return {'scheduled', 0}
