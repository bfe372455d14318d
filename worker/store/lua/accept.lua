-- Accept one event: dedupe, append, put the conversation on the agenda; all or nothing.
--
-- doorbells: the queue of leads who wait; the doorbell in it is '' unless broker and store are the same Redis.
-- takeover: '' | 'hold' (a person can take over, and then does) | '<answer> <settled retention ms>' (no person can any more).
-- other_id: the id that this event goes under when another one has its id, or '' when that cannot be.
-- derived_from: what this event was made from (the field of that name), or ''.
-- plan: for a follow-up that is the next touch, the plan that it belongs to, else ''. channel: '' when it brings none.
-- said: '' | 'stop' | 'start' (undoes a stop) | 'opt_in' (counts also without one). It counts also when the event is
-- refused as full or without a channel. erased: the name of the conversation as a keyed hash, or ''.
-- left_out: names of parts that were left out of it, and reasons, or ''.
-- in_front: the event right in front of it in the same pipeline, or ''; in_front_other_id: the id that that one may have
-- instead, or ''.
-- ref: of a follow-up that was pulled, its name at FluidTalk, else ''. ended_ms: retention of what ends here.
-- transcript, words: for how long and how many lines are kept, what the lead wrote (content); '' = nothing is kept.
-- to_lead: what is said is told to the lead's other personas (an errand, until that is done). timeline_ms: retention.
-- Returns {status, position, ring}: accepted | duplicate | no_channel | full | behind (the one in front of it is not
--      there: nothing was changed); for a follow-up of a plan also stale (it is
--      not the next touch, or not due) | waits (behind another event); for one that was pulled also skipped (it is
--      accepted and has its fate; with a fourth value, the cause); ring = 1 when the caller must ring. `full` keeps
--      nothing of the event, but ends the takeover that it would have ended.
-- Twice with the same event id: the second time answers `duplicate` and changes nothing.

-- The id that it goes under.
local id = event_id

if other_id ~= '' then
  -- Whether the event under this id is another one: an id of ours, such as <id>#2, can be a producer's own as well.
  local function is_another(entry)
    local other = redis.call('HMGET', entry, 'kind', 'derived_from', 'joining', 'size')
    if not other[1] then return false end
    if other[1] == 'refused' then return derived_from ~= '' end
    if other[2] then return other[2] ~= derived_from end
    -- A release without the field accepted it; the further images of a message bring no words.
    local looks_derived = other[3] == 'closing' and number(other[4]) == 0
    if derived_from == '' or string.sub(derived_from, 1, 7) == 'replay ' then
      return looks_derived and not (joining == 'closing' and size == '0')
    end
    return not looks_derived
  end

  local instead = journal_prefix .. other_id .. ' ' .. name
  if redis.call('EXISTS', instead) == 1 or is_another(journal) then id, journal = other_id, instead end
end

-- A follow-up that was pulled is known by its name as long as FluidTalk may list it, also when its journal has expired.
local pulled = ref ~= '' and rare.pulled_of(conversation, name)
if pulled then
  local known = redis.call('ZSCORE', pulled, ref)
  local position = redis.call('LPOS', inbox, id)
  if known or redis.call('EXISTS', journal) == 1 then
    -- It has its fate, and nobody will say so: its conversation was erased, or a release that knows no acks ended it.
    if not position and (not known or known == 'inf') then
      rare.finish_even_when_full(conversation)
      redis.call('ZADD', pulled, stamp(clock()), ref)
    end
    return {'duplicate', position and position + 1 or 0, 0}
  end
end

-- A letter that was refused under this id is no event yet, unless a replay has brought it in under another id.
local known = redis.call('EXISTS', journal) == 1 and redis.call('HMGET', journal, 'kind', 'replayed_as') or {}
if known[1] and (known[1] ~= 'refused' or known[2]) then
  local position = redis.call('LPOS', inbox, id)
  return {'duplicate', position and position + 1 or 0, 0}
end
local now = clock()

-- What the lead says about messages counts whatever becomes of the event.
local heed = said ~= '' and function()
  -- A full store must not keep it from that.
  rare.finish_even_when_full(conversation)
  local keys = {conversation = conversation, follow_ups = follow_ups, timeline = timeline, consents = consents,
    opted_out = opted_out}
  local past = rare.recall_consent(keys, erased_consents, name, erased)
  if to_lead and (past or said ~= 'start') then redis.call('ZADD', errands, now + 5000, 'consent lead ' .. name) end
  if past == 'in' and said ~= 'stop' then return end
  if past == 'out' and said == 'stop' then return end
  if not past and said == 'start' then return end
  rare.write_consent(keys, name, said == 'stop' and 'out' or 'in', 'lead', now, '')
  if redis.call('EXISTS', inbox) == 0 then redis.call('PEXPIRE', timeline, timeline_ms) end
end

if plan ~= '' then
  local due = redis.call('ZSCORE', follow_ups, name)
  if redis.call('HGET', conversation, 'plan') ~= plan or not due or tonumber(due) > now then
    return {'stale', 0, 0}
  end
  local waiting = redis.call('LLEN', inbox)
  if waiting > 0 then
    return {'waits', waiting, 0}
  end
end
local no_channel = channel == '' and redis.call('HEXISTS', conversation, 'channel') == 0
if no_channel and not pulled and not rare.only_told(kind) then
  if said ~= '' then heed() end
  return {'no_channel', 0, 0}
end
local waiting, handed_back, ends_takeover = redis.call('LLEN', inbox), false, takeover ~= '' and takeover ~= 'hold'
if in_front ~= '' then
  local function is_there(front)
    local front_kind = front ~= '' and redis.call('HGET', journal_prefix .. front .. ' ' .. name, 'kind')
    return front_kind and front_kind ~= 'refused'
  end
  -- The store may have refused the one in front of it and take events again: this one must not come before it. For what
  -- is refused anyway there is no order.
  if not is_there(in_front) and not is_there(in_front_other_id) then
    local full = waiting >= inbox_limit and not ends_takeover
    if full and said ~= '' then heed() end
    return {full and 'full' or 'behind', waiting, 0}
  end
end
-- Before this event is one of those that wait: it comes after the takeover that it ends. It ends it also when no room is
-- left, or nothing would ever make room.
if ends_takeover and redis.call('HGET', conversation, 'taken_over') == 'livechat' then
  rare.begin_only_with_room(agenda)
  local keys = {conversation = conversation, inbox = inbox, timeline = timeline, books = books, follow_ups = follow_ups,
    taken_over = taken_over, dead = dead, journals = journal_prefix}
  local answer, settled_ms = string.match(takeover, '^(%l+) (%d+)$')
  local _, left = rare.hand_back(keys, name, answer, now, math.huge, settled_ms, 'livechat_over')
  waiting, handed_back = left, true
end
if waiting >= inbox_limit then
  if handed_back and waiting > 0 then redis.call('ZADD', agenda, now, name) end
  if said ~= '' then heed() end
  return {'full', waiting, 0}
end

if known[1] then
  -- What was refused comes again as it should be: its sender has done what the letter waited for, and a replay of the
  -- letter would say it twice. So the letter ends here, and this event takes its place in the books.
  rare.begin_only_with_room(agenda)
  rare.notice_event(journal, name, now, 'replayed', '')
  redis.call('DEL', journal)
  redis.call('ZREM', dead, id .. ' ' .. name)
  rare.make_room(journal_prefix, id, name)
  count(books, name, 'accepted', -1)
  count(books, name, 'dead', -1)
  rare.note(timeline, now, 'readmitted', id, id)
end
if said ~= '' then heed() end

-- Why a follow-up that was pulled ends at the door: it will never be sent, and must not keep others from being listed.
local moot_because = pulled and function()
  if redis.call('HEXISTS', conversation, 'taken_over') == 1 then return 'taken_over' end
  for _, other in ipairs(redis.call('LRANGE', inbox, 0, -1)) do
    -- FluidTalk has written it without having seen this message.
    if redis.call('HGET', journal_prefix .. other .. ' ' .. name, 'kind') == 'inbound_chat' then return 'lead_wrote' end
  end
  return no_channel and 'channel_missing' or nil
end
local moot = moot_because and moot_because()
local past_seq, past_plan, touch_at = unpack(redis.call('HMGET', conversation, 'seq', 'plan', 'touch_at'))
-- From the clock on, so that numbers grow even after the conversation's state has expired.
local accepted_at, seq = stamp(now), stamp(past_seq and past_seq + 1 or now)
local learned = {'seq', seq}
if kind == 'inbound_chat' then
  -- A lead who wrote is not quiet: the running plan is over, also one that is just being dispatched.
  learned = {'seq', seq, 'last_inbound', accepted_at, 'inbound_seq', seq .. ' ' .. accepted_at,
    'plan', stamp((past_plan or 0) + 1), 'plan_step', '0', 'quiet_from', '0'}
end
if channel ~= '' and not moot then learned[#learned + 1], learned[#learned + 2] = 'channel', channel end
-- First write, but for those above: a full store denies it.
redis.call('HSET', conversation, unpack(learned))
if not past_seq then
  local keys = {conversation = conversation, consents = consents, opted_out = opted_out}
  rare.recall_consent(keys, erased_consents, name, erased)
end
redis.call('HSET', journal, 'kind', kind, 'payload', payload, 'accepted_at', accepted_at, 'seq', seq, 'step', 'waiting',
  'joining', joining, 'size', size, unpack(channel ~= '' and {'own_channel', '1'} or {}))
if other_id ~= '' then redis.call('HSET', journal, 'derived_from', derived_from) end
if said == 'stop' then
  -- Whether this event brings the confirmation of the lead's opt-out: the first one that is accepted does. The word that
  -- opted out may have been refused, and this may be the same word sent again, or another one.
  local at, by = string.match(redis.call('HGET', consents, name) or '', '^out (%d+) (.*)$')
  local confirms = by == 'lead' and redis.call('HGET', conversation, 'confirmed') ~= at
  if confirms then redis.call('HSET', conversation, 'confirmed', at) end
  redis.call('HSET', journal, 'said', confirms and 'stop' or 'again')
elseif derived_from ~= '' and redis.call('HEXISTS', journal_prefix .. derived_from .. ' ' .. name, 'said') == 1 then
  -- A further image of the message that opted out.
  redis.call('HSET', journal, 'said', 'again')
end
if pulled then
  redis.call('HSET', journal, 'ref', ref)
  redis.call('ZADD', pulled, 'inf', ref)
end
if moot then
  redis.call('ZADD', conversations, now, name)
  count(books, name, 'accepted')
  rare.note(timeline, now, 'accepted', kind, id)
  rare.end_event(journal, books, name, 'skipped', moot, now, ended_ms)
  rare.note(timeline, now, 'skipped', moot, 1)
  if waiting == 0 then
    redis.call('PEXPIRE', timeline, timeline_ms)
    rare.expire_quiet(conversation, follow_ups, name, now, timeline_ms)
  end
  return {'skipped', 0, 0, moot}
end
if takeover == 'hold' then
  local state = redis.call('HMGET', conversation, 'taken_over', 'sealed')
  local keys = {conversation = conversation, taken_over = taken_over, follow_ups = follow_ups, timeline = timeline}
  if not state[1] and not state[2] then rare.take_over(keys, name, 'livechat', now) end
end
redis.call('RPUSH', inbox, id)
redis.call('ZADD', conversations, accepted_at, name)
count(books, name, 'accepted')
note_json(timeline, accepted_at .. ',"accepted","' .. kind .. '",' .. cjson.encode(id))
if left_out ~= '' then rare.note(timeline, now, 'left out', left_out, id) end
if kind == 'inbound_chat' then
  -- What is in the index has that field, as long as there is any state.
  if touch_at or not past_seq then rare.drop_touch(conversation, follow_ups, timeline, name, now, 'lead_wrote') end
  if words ~= '' then rare.keep_line(conversation, name, transcript, now, 'lead', id, '-', words) end
elseif kind == 'follow_up' or pulled then
  redis.call('HINCRBY', conversation, 'touches', 1)
  if plan ~= '' then rare.end_touch(conversation, follow_ups, name) end
end
redis.call('PERSIST', conversation)
redis.call('PERSIST', timeline)

local due, ring = now + grace_ms, 1
if waiting == 0 then
  if kind ~= 'inbound_chat' and rare.speaks_first(kind) then
    rare.make_ready(ready, agenda, name, now, now)
    return {'accepted', 1, 0}
  end
  if joining == 'open' and settle_ms > 0 then
    due, ring = rare.quiet_at(now, now, settle_ms, settle_limit_ms, now), 0
  end
elseif (kind == 'inbound_chat' or rare.happened(kind)) and rare.yields_to(kind, conversation, inbox, journal_prefix, name, now) then
  -- Its turn settles the opener or follow-up in front without a call; then this event leads.
  redis.call('HDEL', conversation, 'hold_until', 'hold_reason')
elseif not handed_back then
  local state = redis.call('HMGET', conversation, 'lease_until', 'hold_until', 'interruptible')
  local running, held = number(state[1]) > now, number(state[2]) > now
  -- The bubbles that have not been sent are withheld at once: whether this message does that, the turn finds out.
  local interrupts = held and not running and state[3] and kind == 'inbound_chat'
  if not interrupts and (settle_ms == 0 or running or held) then
    return {'accepted', waiting + 1, 0}
  end
  local head = redis.call('HMGET', journal_prefix .. redis.call('LINDEX', inbox, 0) .. ' ' .. name,
    'accepted_at', 'joining', 'kind')
  -- What comes behind an opener or a follow-up and gets here is one itself: it waits in line with it.
  if rare.speaks_first(head[3]) and not interrupts then return {'accepted', waiting + 1, 0} end
  if not interrupts and joining == 'open' and waiting + 1 < most_events then
    if head[2] ~= 'open' then
      return {'accepted', waiting + 1, 0}
    end
    due, ring = rare.quiet_at(number(head[1]), now, settle_ms, settle_limit_ms, now), 0
  end
end
if ring == 1 and doorbell ~= '' then
  due, ring = now + ring_behind(doorbells, doorbell, grace_ms), 0
end
redis.call('ZADD', agenda, stamp(due), name)
return {'accepted', waiting + 1, ring}
