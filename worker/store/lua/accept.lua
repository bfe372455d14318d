-- Accept one event: dedupe, append, put the conversation on the agenda; all or nothing.
--
-- KEYS 1 conversation  2 inbox  3 journal of the event  4 agenda  5 timeline  6 books  7 follow_ups  8 journal prefix
--      9 doorbell queue (only when broker and store are the same Redis)
-- ARGV 1 conversation name  2 event id  3 kind  4 payload  5 channel or ''  6 joining  7 size
--      8 settle ms  9 settle limit ms  10 largest group  11 grace ms  12 inbox limit
--      13 plan that this follow-up belongs to, or ''  14 doorbell message, or ''
-- Returns {status, position, ring}: accepted | duplicate | no_channel | full | stale; ring = 1 when the caller must ring.
-- Twice with the same event id: the second time answers `duplicate` and changes nothing.

local conversation, inbox, journal, agenda, timeline = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local name, id, kind, joining = ARGV[1], ARGV[2], ARGV[3], ARGV[6]

if redis.call('EXISTS', journal) == 1 then
  local position = redis.call('LPOS', inbox, id)
  return {'duplicate', position and position + 1 or 0, 0}
end
if ARGV[13] ~= '' then
  local plan = redis.call('HGET', conversation, 'plan')
  if plan ~= ARGV[13] then
    -- Without any plan the conversation has expired, and nobody else would take it off the index.
    if not plan then redis.call('ZREM', KEYS[7], name) end
    return {'stale', 0, 0}
  end
end
if ARGV[5] == '' and redis.call('HEXISTS', conversation, 'channel') == 0 then
  return {'no_channel', 0, 0}
end
local waiting = redis.call('LLEN', inbox)
if waiting >= tonumber(ARGV[12]) then
  return {'full', waiting, 0}
end

local now = clock()
redis.call('HSET', journal, 'kind', kind, 'payload', ARGV[4], 'accepted_at', now, 'step', 'waiting',
  'joining', joining, 'size', ARGV[7])
redis.call('RPUSH', inbox, id)
count(KEYS[6], name, 'accepted')
note(timeline, now, 'accepted', kind, id)
if ARGV[5] ~= '' then
  redis.call('HSET', conversation, 'channel', ARGV[5])
end
if kind == 'inbound_chat' then
  -- A lead who wrote is not quiet: the running plan is over, also one that is just being dispatched.
  redis.call('HSET', conversation, 'last_inbound', now, 'plan_step', 0)
  redis.call('HINCRBY', conversation, 'plan', 1)
end
if kind == 'inbound_chat' or ARGV[13] ~= '' then
  redis.call('ZREM', KEYS[7], name)
end
redis.call('PERSIST', conversation)
redis.call('PERSIST', timeline)

local settle, limit = tonumber(ARGV[8]), tonumber(ARGV[9])
local due, ring = now + tonumber(ARGV[11]), 1
if waiting == 0 then
  if joining == 'open' and settle > 0 then
    due, ring = quiet_at(now, now, settle, limit), 0
  end
else
  local state = redis.call('HMGET', conversation, 'lease_until', 'hold_until')
  if settle == 0 or number(state[1]) > now or number(state[2]) > now then
    return {'accepted', waiting + 1, 0}
  end
  if joining == 'open' and waiting + 1 < tonumber(ARGV[10]) then
    local head = redis.call('HMGET', KEYS[8] .. redis.call('LINDEX', inbox, 0) .. ' ' .. name, 'accepted_at', 'joining')
    if head[2] ~= 'open' then
      return {'accepted', waiting + 1, 0}
    end
    due, ring = quiet_at(number(head[1]), now, settle, limit), 0
  end
end
redis.call('ZADD', agenda, due, name)
if ring == 1 and ARGV[14] ~= '' then
  redis.call('LPUSH', KEYS[9], ARGV[14])
  ring = 0
end
return {'accepted', waiting + 1, ring}
