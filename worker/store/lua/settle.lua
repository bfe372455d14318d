-- End a turn: give the events of its group their fate, take them off the inbox, let go of the lease.
--
-- KEYS 1 conversation  2 inbox  3 agenda  4 timeline  5 books  6 follow_ups  7 dead  8 sealed  9 journal prefix
--      10 doorbell queue of leads who wait (only when broker and store are the same Redis)  11 ready
--      12 taken_over
-- ARGV 1 conversation name  2 token  3 fence  4 fate  5 reason  6 '' | started | sealed | owned_elsewhere | escalated
--      7 milliseconds of the next follow-up, '' = none, 'drop' = none any more  8 its step, or '' = the plan stays as it is
--      9 settled retention ms  10 dead retention ms
--      11 conversation retention ms  12 settle ms  13 settle limit ms  14 grace ms  15 timeline entries
--      16 doorbell message, or ''  17 detail for the journal of the head, or ''
--      18 the delivery that the cadence counts from (ms)  19 rule of the next follow-up, or why there is none
-- Returns {'settled' | 'repeated' | 'lost', how many events, events left, ring}; ring = 1 when the caller must ring.
-- Twice for one caller: the second time answers `repeated` and changes nothing.

local conversation, inbox, agenda, timeline, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[9]
local name, token, fence, fate, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local now = clock()
local state = redis.call('HMGET', conversation, 'owner', 'fence', 'group', 'settled_by', 'last_rank', 'answered_rank')
if state[1] ~= token or state[2] ~= fence then
  return {state[4] == token and 'repeated' or 'lost', 0, 0, 0}
end

local group = number(state[3])
-- First write: a full store allows it.
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
  end_event(journal, KEYS[5], name, own, reason, now, own == 'dead' and ARGV[10] or ARGV[9])
  if own == 'dead' then
    redis.call('HSET', journal, 'rank', rank)
    if index > 1 then redis.call('HSET', journal, 'asked_with', ids[1]) end
    redis.call('ZADD', KEYS[7], now, id .. ' ' .. name)
  end
end
if fate == 'dead' and #ids > 1 then
  redis.call('HSET', prefix .. ids[1] .. ' ' .. name, 'members', table.concat(ids, ' ', 2), 'alone', 0)
end
local covered = 0
if fate ~= 'dead' and ids[1] then
  local rank
  covered, rank = end_members(prefix, KEYS[5], KEYS[7], name, ids[1], fate, reason, now, ARGV[9])
  if fate == 'answered' then answered_rank = math.max(answered_rank, rank) end
end
if ARGV[17] ~= '' and ids[1] then
  redis.call('HSET', prefix .. ids[1] .. ' ' .. name, 'detail', ARGV[17])
end
note(timeline, now, fate, reason, #ids + covered)
redis.call('LTRIM', timeline, -tonumber(ARGV[15]), -1)

redis.call('HDEL', conversation, 'owner', 'lease_until', 'hold_until', 'hold_reason', 'group')
redis.call('HSET', conversation, 'settled_by', token, 'last_rank', last_rank, 'answered_rank', answered_rank)
if ARGV[6] == 'started' then
  redis.call('HSET', conversation, 'started', 1)
  redis.call('HDEL', conversation, 'owned_elsewhere')
elseif ARGV[6] == 'escalated' then
  if redis.call('HEXISTS', conversation, 'taken_over') == 0 then
    local keys = {conversation = conversation, taken_over = KEYS[12], follow_ups = KEYS[6], timeline = timeline}
    take_over(keys, name, 'escalated', now)
  end
elseif ARGV[6] ~= '' then
  redis.call('HSET', conversation, ARGV[6], now)
  if ARGV[6] == 'sealed' then redis.call('HSET', KEYS[8], name, now) end
end

local left = redis.call('LLEN', inbox)
local frozen = redis.call('HMGET', conversation, 'sealed', 'taken_over')
if ARGV[6] == 'sealed' or ARGV[6] == 'owned_elsewhere' or ARGV[7] == 'drop' then
  drop_touch(conversation, KEYS[6], timeline, name, now, reason)
elseif ARGV[8] ~= '' and left == 0 and not frozen[2] then
  -- The turn has counted on from the clock of its beginning: one that stepped back since is behind it.
  local late = math.max(0, number(ARGV[18]) - now)
  redis.call('HSET', conversation, 'quiet_from', number(ARGV[18]) - late, 'plan_step', ARGV[8])
  local asked_for = redis.call('HEXISTS', conversation, 'touch_event') == 1 and redis.call('ZSCORE', KEYS[6], name)
  if not asked_for then
    redis.call('HINCRBY', conversation, 'plan', 1)
    if ARGV[7] ~= '' then
      plan_touch(conversation, KEYS[6], timeline, name, now, ARGV[7] - late, ARGV[19])
    else
      drop_touch(conversation, KEYS[6], timeline, name, now, ARGV[19])
    end
  end
end

if left == 0 then
  redis.call('ZREM', agenda, name)
  expire_quiet(conversation, KEYS[6], name, now, ARGV[11])
  redis.call('PEXPIRE', timeline, ARGV[10])
  return {'settled', #ids, 0, 0}
end

local head = redis.call('HMGET', prefix .. redis.call('LINDEX', inbox, 0) .. ' ' .. name,
  'accepted_at', 'joining', 'kind', 'seq')
local settle = tonumber(ARGV[12])
if head[2] == 'open' and settle > 0 then
  local last = redis.call('HGET', prefix .. redis.call('LINDEX', inbox, -1) .. ' ' .. name, 'accepted_at')
  local at = quiet_at(number(head[1]), number(last), settle, tonumber(ARGV[13]))
  if at > now then
    redis.call('ZADD', agenda, at, name)
    return {'settled', #ids, left, 0}
  end
end
local lead = redis.call('HMGET', conversation, 'last_inbound', 'inbound_seq')
if lane_of({head[3], head[1], head[4]}, lead) == 'outreach' then
  make_ready(KEYS[11], agenda, name, head[1], now)
  return {'settled', #ids, left, 0}
end
if ARGV[16] ~= '' then
  redis.call('ZADD', agenda, now + grace_behind(KEYS[10], ARGV[14]), name)
  redis.call('LPUSH', KEYS[10], ARGV[16])
  return {'settled', #ids, left, 0}
end
redis.call('ZADD', agenda, now + tonumber(ARGV[14]), name)
return {'settled', #ids, left, 1}
