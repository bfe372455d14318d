-- Hand a conversation back to the persona, and go on at once.
--
-- KEYS 1 conversation  2 inbox  3 agenda  4 timeline  5 books  6 taken_over  7 journal prefix
--      8 dead  9 follow_ups  10 doorbell queue of leads who wait (only when broker and store are the same Redis)
-- ARGV 1 conversation name  2 answer: joined | last | none  3 name of this call  4 only after so many quiet ms, or ''
--      5 grace ms  6 settled retention ms  7 timeline retention ms  8 conversation retention ms  9 timeline entries
--      10 doorbell message, or ''
-- Returns {'handed_back' | 'not_taken_over' | 'not_quiet' | 'unknown', events dropped, events left, ring}; ring = 1 when
-- the caller must ring for a lead who waits.
-- Twice for one call: the second time answers the same and changes nothing.

local conversation, inbox, agenda, timeline, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[7]
local name, call = ARGV[1], ARGV[3]
if redis.call('EXISTS', conversation) == 0 then return {'unknown', 0, 0, 0} end
local now = clock()
local state = redis.call('HMGET', conversation,
  'taken_over', 'taken_over_at', 'last_inbound', 'handed_back_by', 'inbound_seq')

local by, before = string.match(state[4] or '', '^(%S+) (%d+)$')
if by == call then
  return {'handed_back', tonumber(before), redis.call('LLEN', inbox), 0}
end
if not state[1] then return {'not_taken_over', 0, 0, 0} end
local ended = math.huge
if ARGV[4] ~= '' then
  local head = redis.call('LINDEX', inbox, 0)
  local first = head and number(redis.call('HGET', prefix .. head .. ' ' .. name, 'accepted_at')) or 0
  ended = takeover_end(number(state[2]), number(state[3]), first, tonumber(ARGV[4]))
  if not ended or ended > now then return {'not_quiet', 0, 0, 0} end
end

local keys = {conversation = conversation, inbox = inbox, timeline = timeline, books = KEYS[5], taken_over = KEYS[6],
  dead = KEYS[8], journals = prefix}
finish_even_when_full(conversation)
local dropped, left, at_work = hand_back(keys, name, ARGV[2], now, ended, ARGV[6])
redis.call('HSET', conversation, 'handed_back_by', call .. ' ' .. dropped)
redis.call('LTRIM', timeline, -tonumber(ARGV[9]), -1)
if left == 0 then
  redis.call('ZREM', agenda, name)
  expire_quiet(conversation, KEYS[9], name, now, ARGV[8])
  redis.call('PEXPIRE', timeline, ARGV[7])
  return {'handed_back', dropped, 0, 0}
end
local hold_until, ring = number(redis.call('HGET', conversation, 'hold_until')), 0
if hold_until > now then
  redis.call('ZADD', agenda, hold_until, name)
elseif not at_work then
  local head = redis.call('HMGET', prefix .. redis.call('LINDEX', inbox, 0) .. ' ' .. name, 'kind', 'accepted_at', 'seq')
  if lane_of(head, {state[3], state[5]}) == 'outreach' then
    -- Due now: beat rings for outreach.
    redis.call('ZADD', agenda, now, name)
  else
    redis.call('ZADD', agenda, now + tonumber(ARGV[5]), name)
    ring = 1
  end
end
if ring == 1 and ARGV[10] ~= '' then
  redis.call('LPUSH', KEYS[10], ARGV[10])
  ring = 0
end
return {'handed_back', dropped, left, ring}
