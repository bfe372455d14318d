-- Hand a conversation back to the persona, and go on at once.
--
-- answer: joined | last | none. call: names this call and no other. quiet_ms: only after so long a quiet, or ''.
-- settled_ms, timeline_ms, conversation_ms: retentions.
-- doorbells: the queue of leads who wait; the doorbell in it is '' unless broker and store are the same Redis.
-- Returns {'handed_back' | 'not_taken_over' | 'not_quiet' | 'unknown', events dropped, events left, ring}; ring = 1 when
-- the caller must ring for a lead who waits.
-- Twice for one call: the second time answers the same and changes nothing.

if redis.call('EXISTS', conversation) == 0 then return {'unknown', 0, 0, 0} end
local now = clock()
local state = redis.call('HMGET', conversation,
  'taken_over', 'taken_over_at', 'last_inbound', 'handed_back_by', 'inbound_seq', 'last_said')

local by, before = string.match(state[4] or '', '^(%S+) (%d+)$')
if by == call then
  return {'handed_back', tonumber(before), redis.call('LLEN', inbox), 0}
end
if not state[1] then return {'not_taken_over', 0, 0, 0} end
local ended = math.huge
if quiet_ms ~= '' then
  local head = redis.call('LINDEX', inbox, 0)
  local first = head and number(redis.call('HGET', journal_prefix .. head .. ' ' .. name, 'accepted_at')) or 0
  ended = takeover_end(last_act(state[2], state[6]), number(state[3]), first, tonumber(quiet_ms))
  if not ended or ended > now then return {'not_quiet', 0, 0, 0} end
end

local keys = {conversation = conversation, inbox = inbox, timeline = timeline, books = books, taken_over = taken_over,
  dead = dead, journals = journal_prefix}
finish_even_when_full(conversation)
local dropped, left, at_work = hand_back(keys, name, answer, now, ended, settled_ms, quiet_ms ~= '' and 'quiet' or 'operator')
redis.call('HSET', conversation, 'handed_back_by', call .. ' ' .. dropped)
redis.call('LTRIM', timeline, -timeline_entries, -1)
if left == 0 then
  redis.call('ZREM', agenda, name)
  expire_quiet(conversation, follow_ups, name, now, conversation_ms)
  redis.call('PEXPIRE', timeline, timeline_ms)
  return {'handed_back', dropped, 0, 0}
end
local hold_until, ring = number(redis.call('HGET', conversation, 'hold_until')), 0
if hold_until > now then
  redis.call('ZADD', agenda, hold_until, name)
elseif not at_work then
  local head = redis.call('HMGET', journal_prefix .. redis.call('LINDEX', inbox, 0) .. ' ' .. name, 'kind', 'accepted_at', 'seq')
  if lane_of(head, {state[3], state[5]}) == 'outreach' then
    -- Due now: beat rings for outreach.
    redis.call('ZADD', agenda, now, name)
  else
    redis.call('ZADD', agenda, now + grace_ms, name)
    ring = 1
  end
end
if ring == 1 and doorbell ~= '' then
  redis.call('LPUSH', doorbells, doorbell)
  ring = 0
end
return {'handed_back', dropped, left, ring}
