-- End a turn: give the events of its group their fate, take them off the inbox, let go of the lease.
--
-- mark: '' | started | sealed | owned_elsewhere | escalated. detail: for the journal of the head, or ''.
-- next_at: milliseconds of the next follow-up, '' = none, 'drop' = none any more. plan_step: its step, or '' = the plan stays
-- as it is. quiet_from: the delivery that the cadence counts from (ms). rule: of the next follow-up, or why there is none.
-- settled_ms, dead_ms, conversation_ms: retentions.
-- doorbells: the queue of leads who wait; the doorbell in it is '' unless broker and store are the same Redis.
-- transcript: '' | "<milliseconds> <lines> <messages>": for how long and how many lines are kept, and how many messages of the
-- reply the lead got, - = all.
-- words: what the lead's words are recognised by when they come again, or '' = as it is.
-- Returns {'settled' | 'repeated' | 'lost', how many events, events left, ring}; ring = 1 when the caller must ring.
-- Twice for one caller: the second time answers `repeated` and changes nothing.

local now = clock()
local owner, owner_fence, group, settled_by, last_rank, answered_rank, plan, touch_at, touch_event, was_sealed, was_taken_over, consent, operator_words, group_aside, noticed =
  unpack(redis.call('HMGET', conversation, 'owner', 'fence', 'group', 'settled_by', 'last_rank', 'answered_rank', 'plan',
    'touch_at', 'touch_event', 'sealed', 'taken_over', 'consent', 'operator_words', 'group_aside', 'noticed'))
if owner ~= token or owner_fence ~= fence then
  return {settled_by == token and 'repeated' or 'lost', 0, 0, 0}
end

-- First write: a full store allows it.
local ids = redis.call('LPOP', inbox, group or '0') or {}
if transcript ~= '' and ids[1] then
  local said = redis.call('HMGET', journal_prefix .. ids[1] .. ' ' .. name, 'kind', 'reply', 'payload')
  local own = rare.by_operator(said[1])
  local messages, content = string.match(transcript, '(%S+)$'), own and said[3] or said[2]
  if content then rare.keep_line(inbox, name, transcript, now, own and 'operator' or 'persona', ids[1], messages, content) end
end
-- Starts at the clock, so that ranks grow even after the conversation's state has expired.
last_rank, answered_rank = math.max(number(last_rank), now), number(answered_rank)
-- The sequence of the last notice is counted here, and written with the rest.
local tag = string.sub(conversation, 1, 12)
local notices_kept = bounds_of_notices(tag, now)
-- Of the head: what a notice says of an event, and ids of those whose group died before with it.
local first, members
for index, id in ipairs(ids) do
  local own = (index > 1 and fate == 'answered') and 'joined' or fate
  local journal = journal_prefix .. id .. ' ' .. name
  local past = redis.call('HMGET', journal, 'kind', 'accepted_at', 'asks', 'sends', 'rank', 'members')
  local rank = tonumber(past[5])
  if index == 1 then
    first, members = past, past[6]
  else
    past[3], past[4] = first[3], first[4]
  end
  if notices_kept then
    noticed = noticed and next_number(noticed) or stamp(rare.first_of_state(tag, now, name))
    past.sequence = noticed
  end
  if not rank then
    last_rank = last_rank + 1
    rank = last_rank
  end
  local kind = past[1]
  if fate == 'answered' and (kind == 'inbound_chat' or not rare.only_told(kind) and not rare.by_operator(kind)) then
    answered_rank = math.max(answered_rank, rank)
  end
  end_event(journal, books, name, own, reason, now, own == 'dead' and dead_ms or settled_ms, index > 1 and ids[1] or nil,
    past)
  if own == 'dead' then
    redis.call('HSET', journal, 'rank', rank)
    if index > 1 then redis.call('HSET', journal, 'asked_with', ids[1]) end
    redis.call('ZADD', dead, now, id .. ' ' .. name)
  end
end
-- Other notices may follow.
local told = notices_kept and ids[1]
local is_last_notice = told and not members and mark == ''
if told and not is_last_notice then redis.call('HSET', conversation, 'noticed', noticed) end
if fate == 'dead' and #ids > 1 then
  redis.call('HSET', journal_prefix .. ids[1] .. ' ' .. name, 'members', table.concat(ids, ' ', 2), 'alone', 0)
end
local covered = 0
if fate ~= 'dead' and members then
  local rank
  covered, rank = rare.end_members(journal_prefix, books, dead, name, ids[1], fate, reason, now, settled_ms)
  if fate == 'answered' then answered_rank = math.max(answered_rank, rank) end
end
if detail ~= '' and ids[1] then
  redis.call('HSET', journal_prefix .. ids[1] .. ' ' .. name, 'detail', detail)
end
if note_json(timeline, stamp(now) .. ',"' .. fate .. '",' .. cjson.encode(reason) .. ',' .. #ids + covered) > timeline_entries then
  redis.call('LTRIM', timeline, -timeline_entries, '-1')
end

local ended = {'owner', 'lease_until', 'group'}
local last_text = stamp(last_rank)
local answered_text = answered_rank == last_rank and last_text or stamp(answered_rank)
local learned = {'settled_by', token, 'last_rank', last_text, 'answered_rank', answered_text}
local function learn(field, value)
  learned[#learned + 1], learned[#learned + 2] = field, value
end

if is_last_notice then learn('noticed', noticed) end
if words ~= '' then learn('last_words', words) end
if mark == 'started' then
  ended[4] = 'owned_elsewhere'
  learn('started', '1')
elseif mark == 'escalated' then
  if not was_taken_over then
    local keys = {conversation = conversation, taken_over = taken_over, follow_ups = follow_ups, timeline = timeline}
    rare.take_over(keys, name, 'escalated', now)
  end
elseif mark ~= '' then
  learn(mark, now)
  if mark == 'sealed' then
    redis.call('HSET', sealed, name, now)
    if not was_sealed then rare.notice_conversation(conversation, name, now, 'sealed', rare.cause_of(reason)) end
  end
end

local left = redis.call('LLEN', inbox)
local frozen = {was_sealed or mark == 'sealed', was_taken_over or mark == 'escalated', consent}
if mark == 'sealed' or mark == 'owned_elsewhere' or next_at == 'drop' then
  rare.drop_touch(conversation, follow_ups, timeline, name, now, reason)
  touch_at = nil
elseif plan_step ~= '' and left == 0 and not frozen[2] and frozen[3] ~= 'out' then
  -- The turn has counted on from the clock of its beginning: one that stepped back since is behind it.
  local late = math.max(0, number(quiet_from) - now)
  learn('quiet_from', late == 0 and quiet_from or stamp(number(quiet_from) - late))
  learn('plan_step', plan_step)
  -- What is in the index has these fields.
  local asked_for = touch_event and redis.call('ZSCORE', follow_ups, name)
  if not asked_for then
    learn('plan', stamp(number(plan) + 1))
    if next_at ~= '' then
      touch_at = stamp(next_at - late)
      rare.plan_touch(conversation, follow_ups, timeline, name, now, touch_at, rule)
    elseif touch_at then
      rare.drop_touch(conversation, follow_ups, timeline, name, now, rule)
      touch_at = nil
    end
  end
end
if group_aside then
  ended[#ended + 1] = 'group_aside'
  learn('group', group_aside)
end
redis.call('HDEL', conversation, unpack(ended))
redis.call('HSET', conversation, unpack(learned))
if operator_words then operator_words = rare.bring_forward(conversation, inbox, journal_prefix, name) end

if left == 0 then
  redis.call('ZREM', agenda, name)
  expire_quiet(conversation, follow_ups, name, now, conversation_ms, frozen, touch_at or false)
  redis.call('PEXPIRE', timeline, dead_ms)
  return {'settled', #ids, 0, 0}
end

local head = redis.call('HMGET', journal_prefix .. redis.call('LINDEX', inbox, 0) .. ' ' .. name,
  'accepted_at', 'joining', 'kind', 'seq')
if head[2] == 'open' and settle_ms > 0 and not operator_words then
  local last = redis.call('HGET', journal_prefix .. redis.call('LINDEX', inbox, -1) .. ' ' .. name, 'accepted_at')
  local quiet = rare.quiet_at(number(head[1]), number(last), settle_ms, settle_limit_ms, now)
  if quiet > now then
    redis.call('ZADD', agenda, quiet, name)
    return {'settled', #ids, left, 0}
  end
end
local lead = redis.call('HMGET', conversation, 'last_inbound', 'inbound_seq')
if rare.lane_of({head[3], head[1], head[4]}, lead) == 'outreach' then
  rare.make_ready(ready, agenda, name, head[1], now)
  return {'settled', #ids, left, 0}
end
if doorbell ~= '' then
  redis.call('ZADD', agenda, now + rare.ring_behind(doorbells, doorbell, grace_ms), name)
  return {'settled', #ids, left, 0}
end
redis.call('ZADD', agenda, now + grace_ms, name)
return {'settled', #ids, left, 1}
