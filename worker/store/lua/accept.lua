-- Accept one event: dedupe, append, put the conversation on the agenda; all or nothing.
--
-- KEYS 1 conversation  2 inbox  3 journal of the event  4 agenda  5 timeline  6 books  7 follow_ups  8 journal prefix
--      9 doorbell queue of leads who wait (only when broker and store are the same Redis)  10 ready
--      11 taken_over  12 dead
-- ARGV 1 conversation name  2 event id  3 kind  4 payload  5 channel or ''  6 joining  7 size
--      8 settle ms  9 settle limit ms  10 largest group  11 grace ms  12 inbox limit
--      13 plan that this follow-up belongs to, or ''  14 doorbell message, or ''
--      15 '' | 'hold': a person can take over, and then does | '<answer> <settled retention ms>': nobody can any more
--      16 the id that this event goes under when another one has its id, or '' when that cannot be
--      17 what this event was made from (field derived_from), or ''
--      18 what was left out of it: names of parts and reasons, or ''
--      19 the event right in front of it in the same pipeline, or ''  20 the id that that one may have instead, or ''
-- Returns {status, position, ring}: accepted | duplicate | no_channel | full | behind (the one in front of it is not
--      there: nothing was changed); for a follow-up of a plan also stale (it is
--      not the next touch, or not due) | waits (behind another event); ring = 1 when the caller must ring. `full` keeps
--      nothing of the event, but ends the takeover that it would have ended.
-- Twice with the same event id: the second time answers `duplicate` and changes nothing.

local conversation, inbox, journal, agenda, timeline = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local name, id, kind, joining = ARGV[1], ARGV[2], ARGV[3], ARGV[6]

-- Whether an opener or a follow-up at the head must not keep this event waiting: because nothing holds it but its place
-- in line, or because it was never asked and what it is held for ends with this event: whatever it is when the lead wrote,
-- a better moment when something happened on the platform.
local function gives_way(to)
  local state = redis.call('HMGET', conversation, 'lease_until', 'hold_until', 'hold_reason')
  local head = redis.call('HMGET', KEYS[8] .. redis.call('LINDEX', inbox, 0) .. ' ' .. name, 'kind', 'asks', 'reply')
  if not speaks_first(head[1]) or number(state[1]) > clock() then return false end
  if number(state[2]) <= clock() then return true end
  local never_asked = number(head[2]) == 0 and not head[3]
  return never_asked and (to == 'inbound_chat' or for_its_moment(state[3]))
end

if ARGV[16] ~= '' then
  -- Whether the event under this id is another one: an id of ours, such as <id>#2, can be a producer's own as well.
  local function is_another(entry)
    local other = redis.call('HMGET', entry, 'kind', 'derived_from', 'joining', 'size')
    if not other[1] then return false end
    if other[1] == 'refused' then return ARGV[17] ~= '' end
    if other[2] then return other[2] ~= ARGV[17] end
    -- A release without the field accepted it; the further images of a message bring no words.
    local looks_derived = other[3] == 'closing' and number(other[4]) == 0
    if ARGV[17] == '' or string.sub(ARGV[17], 1, 7) == 'replay ' then
      return looks_derived and not (joining == 'closing' and ARGV[7] == '0')
    end
    return not looks_derived
  end

  local instead = KEYS[8] .. ARGV[16] .. ' ' .. name
  if redis.call('EXISTS', instead) == 1 or is_another(journal) then id, journal = ARGV[16], instead end
end

-- A letter that was refused under this id is no event yet, unless a replay has brought it in under another id.
local known = redis.call('HMGET', journal, 'kind', 'replayed_as')
if known[1] and (known[1] ~= 'refused' or known[2]) then
  local position = redis.call('LPOS', inbox, id)
  return {'duplicate', position and position + 1 or 0, 0}
end
local now = clock()
if ARGV[13] ~= '' then
  local due = redis.call('ZSCORE', KEYS[7], name)
  if redis.call('HGET', conversation, 'plan') ~= ARGV[13] or not due or tonumber(due) > now then
    return {'stale', 0, 0}
  end
  local waiting = redis.call('LLEN', inbox)
  if waiting > 0 then
    return {'waits', waiting, 0}
  end
end
if ARGV[5] == '' and redis.call('HEXISTS', conversation, 'channel') == 0 then
  return {'no_channel', 0, 0}
end
-- The store may have refused the one in front of it and take events again: this one must not come before it. For what is
-- refused anyway there is no order.
local function is_there(front)
  local front_kind = front ~= '' and redis.call('HGET', KEYS[8] .. front .. ' ' .. name, 'kind')
  return front_kind and front_kind ~= 'refused'
end
if ARGV[19] ~= '' and not is_there(ARGV[19]) and not is_there(ARGV[20]) then
  local ends_takeover = ARGV[15] ~= '' and ARGV[15] ~= 'hold'
  local in_line = redis.call('LLEN', inbox)
  return {in_line >= tonumber(ARGV[12]) and not ends_takeover and 'full' or 'behind', in_line, 0}
end
local keys = {conversation = conversation, inbox = inbox, timeline = timeline, books = KEYS[6], follow_ups = KEYS[7],
  taken_over = KEYS[11], dead = KEYS[12], journals = KEYS[8]}
local waiting, handed_back = redis.call('LLEN', inbox), false
-- Before this event is one of those that wait: it comes after the takeover that it ends. It ends it also when no room is
-- left, or nothing would ever make room.
local answer, settled_ms = string.match(ARGV[15], '^(%l+) (%d+)$')
if answer and redis.call('HGET', conversation, 'taken_over') == 'livechat' then
  begin_only_with_room(agenda)
  local _, left = hand_back(keys, name, answer, now, math.huge, settled_ms)
  waiting, handed_back = left, true
end
if waiting >= tonumber(ARGV[12]) then
  if handed_back and waiting > 0 then redis.call('ZADD', agenda, now, name) end
  return {'full', waiting, 0}
end

if known[1] then
  -- What was refused comes again as it should be: its sender has done what the letter waited for, and a replay of the
  -- letter would say it twice. So the letter ends here, and this event takes its place in the books.
  begin_only_with_room(agenda)
  redis.call('DEL', journal)
  redis.call('ZREM', KEYS[12], id .. ' ' .. name)
  make_room(KEYS[8], id, name)
  count(KEYS[6], name, 'accepted', -1)
  count(KEYS[6], name, 'dead', -1)
  note(timeline, now, 'readmitted', id, id)
end
-- First write, but for those above: a full store denies it.
local seq = redis.call('HINCRBY', conversation, 'seq', 1)
if seq == 1 then
  -- From the clock on, so that numbers grow even after the conversation's state has expired.
  seq = now
  redis.call('HSET', conversation, 'seq', seq)
end
redis.call('HSET', journal, 'kind', kind, 'payload', ARGV[4], 'accepted_at', now, 'seq', seq, 'step', 'waiting',
  'joining', joining, 'size', ARGV[7])
if ARGV[16] ~= '' then redis.call('HSET', journal, 'derived_from', ARGV[17]) end
if ARGV[5] ~= '' then
  redis.call('HSET', conversation, 'channel', ARGV[5])
  redis.call('HSET', journal, 'own_channel', 1)
end
if ARGV[15] == 'hold' then
  local state = redis.call('HMGET', conversation, 'taken_over', 'sealed')
  if not state[1] and not state[2] then take_over(keys, name, 'livechat', now) end
end
redis.call('RPUSH', inbox, id)
count(KEYS[6], name, 'accepted')
note(timeline, now, 'accepted', kind, id)
if ARGV[18] ~= '' then note(timeline, now, 'left out', ARGV[18], id) end
if kind == 'inbound_chat' then
  -- A lead who wrote is not quiet: the running plan is over, also one that is just being dispatched.
  redis.call('HSET', conversation, 'last_inbound', now, 'inbound_seq', seq .. ' ' .. now, 'plan_step', 0)
  redis.call('HDEL', conversation, 'quiet_from')
  redis.call('HINCRBY', conversation, 'plan', 1)
  drop_touch(conversation, KEYS[7], timeline, name, now, 'the lead wrote')
elseif kind == 'follow_up' then
  redis.call('HINCRBY', conversation, 'touches', 1)
  if ARGV[13] ~= '' then end_touch(conversation, KEYS[7], name) end
end
redis.call('PERSIST', conversation)
redis.call('PERSIST', timeline)

local settle, limit = tonumber(ARGV[8]), tonumber(ARGV[9])
local due, ring = now + tonumber(ARGV[11]), 1
if waiting == 0 then
  if speaks_first(kind) then
    make_ready(KEYS[10], agenda, name, now, now)
    return {'accepted', 1, 0}
  end
  if joining == 'open' and settle > 0 then
    due, ring = quiet_at(now, now, settle, limit), 0
  end
elseif (kind == 'inbound_chat' or kind == 'event_trigger') and gives_way(kind) then
  -- Its turn settles the opener or follow-up in front without a call; then this event leads.
  redis.call('HDEL', conversation, 'hold_until', 'hold_reason')
elseif not handed_back then
  local state = redis.call('HMGET', conversation, 'lease_until', 'hold_until')
  if settle == 0 or number(state[1]) > now or number(state[2]) > now then
    return {'accepted', waiting + 1, 0}
  end
  local head = redis.call('HMGET', KEYS[8] .. redis.call('LINDEX', inbox, 0) .. ' ' .. name,
    'accepted_at', 'joining', 'kind')
  -- What comes behind an opener or a follow-up and gets here is one itself: it waits in line with it.
  if speaks_first(head[3]) then return {'accepted', waiting + 1, 0} end
  if joining == 'open' and waiting + 1 < tonumber(ARGV[10]) then
    if head[2] ~= 'open' then
      return {'accepted', waiting + 1, 0}
    end
    due, ring = quiet_at(number(head[1]), now, settle, limit), 0
  end
end
if ring == 1 and ARGV[14] ~= '' then
  due = now + grace_behind(KEYS[9], ARGV[11])
  redis.call('LPUSH', KEYS[9], ARGV[14])
  ring = 0
end
redis.call('ZADD', agenda, due, name)
return {'accepted', waiting + 1, ring}
