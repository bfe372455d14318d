-- Accept what a person says to the lead in the persona's place: an event that brings its reply along, so nothing is asked.
--
-- by: who says it; only who has claimed the conversation may. reply: what is delivered (content).
-- anyway: also when the lead has opted out. limit: so many events may wait.
-- doorbells: the queue of leads who wait; the doorbell in it is '' unless broker and store are the same Redis.
-- Returns {status, detail, ring}; ring = 1 when the caller must ring. Statuses with their detail:
--      accepted, duplicate (place in the inbox, 0 = it has its fate)   unknown   no_channel   full   opted_out
--      not_yours (why a person has the conversation, '' = nobody has)
-- Twice with the same event id: the second time answers `duplicate` and changes nothing.

if redis.call('EXISTS', journal) == 1 then
  local position = redis.call('LPOS', inbox, event_id)
  return {'duplicate', position and position + 1 or 0, 0}
end
if redis.call('EXISTS', conversation) == 0 then return {'unknown', '', 0} end
local state = redis.call('HMGET', conversation, 'taken_over', 'owner', 'lease_until', 'consent', 'channel', 'started')
local taken_over, claimed = state[1] or '', 'claimed by ' .. by
if taken_over ~= claimed and string.sub(taken_over, 1, #claimed + 2) ~= claimed .. ': ' then
  return {'not_yours', taken_over, 0}
end
if not state[5] then return {'no_channel', '', 0} end
if state[4] == 'out' and not anyway then return {'opted_out', '', 0} end
if redis.call('LLEN', inbox) >= limit then return {'full', '', 0} end

begin_only_with_room(agenda)
local now = clock()
local seq = redis.call('HINCRBY', conversation, 'seq', '1')
if seq == 1 then
  seq = now
  redis.call('HSET', conversation, 'seq', seq)
end
local at = stamp(now)
-- The channel knows each of them by the id of its event.
redis.call('HSET', journal, 'kind', kind, 'payload', payload, 'accepted_at', at, 'seq', stamp(seq), 'step', 'replied',
  'joining', 'no', 'size', 0, 'reply', reply, 'replied_at', at, 'reply_id', at .. ' ' .. event_id)
if anyway then redis.call('HSET', journal, 'said', 'anyway') end
redis.call('RPUSH', inbox, event_id)
redis.call('ZADD', conversations, at, name)
count(books, name, 'accepted')
note(timeline, now, 'said by', by, event_id)
redis.call('HSET', conversation, 'operator_words', 1, 'last_said', at)
redis.call('PERSIST', timeline)

local waiting, ring = redis.call('LLEN', inbox), 0
-- A turn that is at work lets it go first when it ends (hold.lua, settle.lua); one that vanished has its lease to its end.
if not state[2] then
  bring_forward(conversation, inbox, journal_prefix, name)
  if redis.call('LINDEX', inbox, 0) == event_id then
    redis.call('HDEL', conversation, 'rings')
    if doorbell ~= '' then
      redis.call('ZADD', agenda, now + ring_behind(doorbells, doorbell, grace_ms), name)
    else
      redis.call('ZADD', agenda, now + grace_ms, name)
      ring = 1
    end
  end
end
return {'accepted', redis.call('LPOS', inbox, event_id) + 1, ring}
