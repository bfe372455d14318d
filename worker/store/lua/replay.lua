-- Give a dead event back to its conversation, or take it off the list of dead letters.
--
-- journal: of the event. mode: place | append | join | discard | readmitted. call: names this call and no other.
-- accepted_as: for readmitted, the id under which the event was accepted.
-- doorbells: the queue of leads who wait; the doorbell in it is '' unless broker and store are the same Redis.
-- Returns {status, detail, ring}; ring = 1 when the caller must ring. Statuses with their detail:
--      replayed (place in the inbox)   discarded   readmitted   unknown   not_dead (its fate)
--      refused                         it was never accepted: send it through the door, then call with `readmitted`
--      covered (id of the head)        the reply that is stored with that event answers this one too: replay that one
--      with_head (id of the head)      the same, and that event waits again: this one ends with it
--      later_answered, later_asked     its own place is gone, or is in front of what the persona has seen
--      nothing_to_join, cannot_join    no group that is still open waits; this event has to be asked alone
--      no_channel                      the conversation has expired, and the event brings no channel of its own
-- Twice for one call: the second time answers the same and changes nothing.

local now = clock()

-- The farewell of `on_dead` is no answer: whoever got only that is asked for again.
local function has_answer(entry)
  return entry.reply and not entry.farewell
end

local letter = hash(journal)
local function say(status, detail)
  return {status, detail or '', 0}
end

if not letter.kind then return say('unknown') end
if letter.replayed_by == call then
  if letter.replayed_as then return say('readmitted', letter.replayed_as) end
  if letter.replayed_with then return say('with_head', letter.replayed_with) end
  if letter.discarded_at then return say('discarded') end
  local position = redis.call('LPOS', inbox, event_id)
  return say('replayed', position and position + 1 or 0)
end
if letter.fate ~= 'dead' then return say('not_dead', letter.fate) end
if mode == 'discard' or mode == 'readmitted' then
  finish_even_when_full(conversation)
else
  begin_only_with_room(conversation)
end
if mode == 'discard' then
  if redis.call('ZREM', dead, event_id .. ' ' .. name) == 1 then
    redis.call('HSET', journal, 'discarded_at', now, 'replayed_by', call)
    redis.call('HDEL', journal, 'replayed_with')
    make_room(journal_prefix, event_id, name)
    note(timeline, now, 'discarded', event_id)
    notice_event(journal, name, now, 'discarded', letter.reason or '')
  end
  return say('discarded')
end
if mode == 'readmitted' then
  -- The door has counted it a second time.
  count(books, name, 'accepted', -1)
  count(books, name, 'dead', -1)
  redis.call('ZREM', dead, event_id .. ' ' .. name)
  make_room(journal_prefix, event_id, name)
  -- What was said is with the event now. The digest still recognises the same payload.
  redis.call('HSETNX', journal, 'digest', redis.sha1hex(letter.payload or ''))
  redis.call('HDEL', journal, 'fate', 'discarded_at', 'payload', 'replayed_with')
  redis.call('HSET', journal, 'replayed_by', call, 'replayed_as', accepted_as)
  note(timeline, now, 'readmitted', event_id, accepted_as)
  notice_event(journal, name, now, 'replayed', '')
  return say('readmitted')
end
if letter.kind == 'refused' then return say(mode == 'join' and 'cannot_join' or 'refused') end

local answered = has_answer(letter)
local doubted = letter.ask_unknowns or letter.asks_vanished
local state = hash(conversation)
if letter.asked_with then
  -- Only a reply from before their common death: a later one is to the head's words alone.
  local head = hash(journal_prefix .. letter.asked_with .. ' ' .. name)
  if has_answer(head) and is_of_group(head.replied_at, head.alone, letter.settled_at) then
    if head.fate then return say('covered', letter.asked_with) end
    redis.call('HSET', journal, 'replayed_by', call, 'replayed_with', letter.asked_with)
    return say('with_head', letter.asked_with)
  end
end
if not state.channel and not letter.own_channel and not only_told(letter.kind) then return say('no_channel') end

local function place()
  local rank, group, pivot = number(letter.rank), number(state.group), nil
  -- What a person says stands in front of the group that was asked.
  if state.group_aside then group = number(state.group_aside) + 1 end
  if number(state.answered_rank) > rank and not only_told(letter.kind) then return 'later_answered' end
  for index, other in ipairs(redis.call('LRANGE', inbox, 0, -1)) do
    local entry = redis.call('HMGET', journal_prefix .. other .. ' ' .. name, 'rank', 'reply', 'kind')
    -- What has no rank has not died so far, so it stood behind this event when that died. What a person says is not of the
    -- persona's order.
    local counts = not by_operator(entry[3])
    if counts and not pivot and (not entry[1] or number(entry[1]) > rank) then
      if index <= group then return 'later_asked' end
      pivot = other
    end
    if counts and pivot and entry[2] then return 'later_asked' end
  end
  if pivot then
    redis.call('LINSERT', inbox, 'BEFORE', pivot, event_id)
  else
    redis.call('RPUSH', inbox, event_id)
  end
end

local function join()
  if letter.joining ~= 'open' or answered or doubted then return 'cannot_join' end
  local head = redis.call('LINDEX', inbox, 0)
  if not head then return 'nothing_to_join' end
  local entry = redis.call('HMGET', journal_prefix .. head .. ' ' .. name, 'joining', 'reply')
  if state.group or entry[2] then return 'later_asked' end
  if entry[1] == 'no' then return 'nothing_to_join' end
  redis.call('LPUSH', inbox, event_id)
end

local function append()
  redis.call('RPUSH', inbox, event_id)
end

-- Its place is before all that waits.
local function say_again()
  redis.call('RPUSH', inbox, event_id)
  redis.call('HSET', conversation, 'operator_words', 1)
end

local act = by_operator(letter.kind) and say_again or ({place = place, join = join, append = append})[mode]
local obstacle = act()
if obstacle then return say(obstacle) end

-- A fresh budget. What may have been acted on, or has its answer, stays alone: nothing may join an answer that was
-- given without it, nor one that a lost worker may still bring.
redis.call('HDEL', journal, 'fate', 'reason', 'detail', 'settled_at', 'discarded_at', 'asked_with', 'failures',
  'failures_ms', 'failed', 'asks', 'ask_unknowns', 'asks_vanished', 'asks_handed_over', 'sends', 'send_unknowns',
  'sends_vanished', 'sends_handed_over', 'stumbles', 'killed_alone', 'replayed_with')
redis.call('HSET', journal, 'step', answered and 'replied' or 'waiting', 'replayed_by', call)
if not answered then
  redis.call('HDEL', journal, 'reply', 'replied_at', 'farewell', 'bubbles_sent')
  if letter.members then redis.call('HSET', journal, 'alone', 1) end
end
if answered or doubted then redis.call('HSET', journal, 'joining', 'no') end
if mode ~= 'place' then redis.call('HDEL', journal, 'rank') end
-- A person has decided that it is not too old. An opener or a follow-up still gives way to a lead who wrote since.
local lead = {state.last_inbound, state.inbound_seq}
if not speaks_first(letter.kind) or not lead_wrote_since(letter.accepted_at, letter.seq, unpack(lead, 1, 2)) then
  redis.call('HSETNX', journal, 'first_accepted_at', letter.accepted_at)
  redis.call('HSET', journal, 'accepted_at', now)
end
count(books, name, 'dead', -1)
redis.call('ZREM', dead, event_id .. ' ' .. name)
note(timeline, now, 'replayed', mode, event_id)
notice_event(journal, name, now, 'replayed', '')
for _, key in ipairs({conversation, journal, timeline}) do redis.call('PERSIST', key) end

local ring, held = 0, number(state.hold_until) > now
if by_operator(letter.kind) and not state.owner and bring_forward(conversation, inbox, journal_prefix, name) then held = false end
if redis.call('LINDEX', inbox, 0) == event_id and not held then
  redis.call('ZADD', agenda, now + grace_ms, name)
  local accepted_at = redis.call('HGET', journal, 'accepted_at')
  if lane_of({letter.kind, accepted_at, letter.seq}, lead) == 'outreach' then
    make_ready(ready, agenda, name, accepted_at, now)
  elseif doorbell == '' then
    ring = 1
  else
    redis.call('LPUSH', doorbells, doorbell)
  end
end
return {'replayed', redis.call('LPOS', inbox, event_id) + 1, ring}
