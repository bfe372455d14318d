-- End a turn: give the events of its group their fate, take them off the inbox, let go of the lease.
--
-- KEYS 1 conversation  2 inbox  3 agenda  4 timeline  5 books  6 follow_ups  7 dead  8 sealed  9 journal prefix
--      10 doorbell queue of leads who wait  11 of outreach (only when broker and store are the same Redis)
-- ARGV 1 conversation name  2 token  3 fence  4 fate  5 reason  6 '' | started | sealed | owned_elsewhere
--      7 ms until the next follow-up, or ''  8 step of that follow-up  9 settled retention ms  10 dead retention ms
--      11 conversation retention ms  12 settle ms  13 settle limit ms  14 grace ms  15 timeline entries
--      16 doorbell message, or ''  17 detail for the journal of the head, or ''
-- Returns {'settled' | 'repeated' | 'lost', how many events, events left, ring, lane kind of the next head or ''}.
-- Twice for one caller: the second time answers `repeated` and changes nothing.

local conversation, inbox, agenda, timeline, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[9]
local name, token, fence, fate, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local now = clock()
local state = redis.call('HMGET', conversation, 'owner', 'fence', 'group', 'settled_by', 'last_rank', 'answered_rank')
if state[1] ~= token or state[2] ~= fence then
  return {state[4] == token and 'repeated' or 'lost', 0, 0, 0, ''}
end

local group = number(state[3])
local ids = redis.call('LPOP', inbox, group) or {}
-- Starts at the clock, so that ranks grow even after the conversation's state has expired.
local last_rank, answered_rank = math.max(number(state[5]), now), number(state[6])
for index, id in ipairs(ids) do
  local own = (index > 1 and fate == 'answered') and 'joined' or fate
  local journal = prefix .. id .. ' ' .. name
  local rank = tonumber(redis.call('HGET', journal, 'rank'))
  if not rank then
    last_rank = last_rank + 1
    rank = last_rank
  end
  if fate == 'answered' then answered_rank = math.max(answered_rank, rank) end
  redis.call('HSET', journal, 'fate', own, 'reason', reason, 'step', 'settled', 'settled_at', now)
  count(KEYS[5], name, own)
  if own == 'dead' then
    redis.call('HSET', journal, 'rank', rank)
    if index > 1 then redis.call('HSET', journal, 'asked_with', ids[1]) end
    redis.call('PEXPIRE', journal, ARGV[10])
    redis.call('ZADD', KEYS[7], now, id .. ' ' .. name)
  else
    redis.call('PEXPIRE', journal, ARGV[9])
  end
end
if ARGV[17] ~= '' and ids[1] then
  redis.call('HSET', prefix .. ids[1] .. ' ' .. name, 'detail', ARGV[17])
end
note(timeline, now, fate, reason, #ids)
redis.call('LTRIM', timeline, -tonumber(ARGV[15]), -1)

redis.call('HDEL', conversation, 'owner', 'lease_until', 'hold_until', 'hold_reason', 'group')
redis.call('HSET', conversation, 'settled_by', token, 'last_rank', last_rank, 'answered_rank', answered_rank)
if ARGV[6] == 'started' then
  redis.call('HSET', conversation, 'started', 1)
  redis.call('HDEL', conversation, 'owned_elsewhere')
elseif ARGV[6] ~= '' then
  redis.call('HSET', conversation, ARGV[6], now)
  if ARGV[6] == 'sealed' then redis.call('HSET', KEYS[8], name, now) end
end

local left = redis.call('LLEN', inbox)
if ARGV[6] == 'sealed' or ARGV[6] == 'owned_elsewhere' then
  redis.call('ZREM', KEYS[6], name)
elseif ARGV[7] ~= '' and left == 0 then
  redis.call('HINCRBY', conversation, 'plan', 1)
  redis.call('HSET', conversation, 'plan_step', ARGV[8])
  redis.call('ZADD', KEYS[6], now + tonumber(ARGV[7]), name)
end

if left == 0 then
  redis.call('ZREM', agenda, name)
  if redis.call('HEXISTS', conversation, 'sealed') == 0 then
    redis.call('PEXPIRE', conversation, ARGV[11])
  end
  redis.call('PEXPIRE', timeline, ARGV[10])
  return {'settled', #ids, 0, 0, ''}
end

local head = redis.call('HMGET', prefix .. redis.call('LINDEX', inbox, 0) .. ' ' .. name,
  'accepted_at', 'joining', 'kind')
local settle = tonumber(ARGV[12])
if head[2] == 'open' and settle > 0 then
  local last = redis.call('HGET', prefix .. redis.call('LINDEX', inbox, -1) .. ' ' .. name, 'accepted_at')
  local at = quiet_at(number(head[1]), number(last), settle, tonumber(ARGV[13]))
  if at > now then
    redis.call('ZADD', agenda, at, name)
    return {'settled', #ids, left, 0, head[3]}
  end
end
redis.call('ZADD', agenda, now + tonumber(ARGV[14]), name)
if ARGV[16] ~= '' then
  local outreach = head[3] == 'ai_opener' or head[3] == 'follow_up'
  redis.call('LPUSH', outreach and KEYS[11] or KEYS[10], ARGV[16])
  return {'settled', #ids, left, 0, head[3]}
end
return {'settled', #ids, left, 1, head[3]}
