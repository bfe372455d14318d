-- Leave the head in place until a given time, for a stated reason, and let go of the lease.
--
-- KEYS 1 conversation  2 agenda  3 timeline  4 journal of the head  5 inbox
-- ARGV 1 conversation name  2 token  3 fence  4 ms to wait  5 reason  6 outcome: known | unknown | not asked
--      7 timeline entries  8 how many bubbles of the reply have surely been sent, or ''
-- Returns {'held' | 'repeated' | 'lost', until}. Twice for one caller: the second time answers `repeated`.

local conversation, agenda, timeline, journal = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now = clock()
local state = redis.call('HMGET', conversation, 'owner', 'fence', 'held_by', 'hold_until')
if state[1] ~= ARGV[2] or state[2] ~= ARGV[3] then
  return {state[3] == ARGV[2] and 'repeated' or 'lost', number(state[4])}
end
local at = now + tonumber(ARGV[4])
local step = redis.call('HMGET', journal, 'step', 'reply', 'ask_unknowns', 'asks_vanished')
if ARGV[6] == 'unknown' then
  redis.call('HINCRBY', journal, step[2] and 'send_unknowns' or 'ask_unknowns', 1)
elseif not step[2] and not step[3] and not step[4] then
  -- Surely not acted on: what came in meanwhile may join the next call. Once an outcome was unknown the group stays
  -- as it was asked, because a late reply to it can still be stored.
  redis.call('HDEL', conversation, 'group')
end
if ARGV[6] == 'not asked' then
  local attempts = redis.call('HINCRBY', journal, step[2] and 'sends' or 'asks', -1)
  -- The age of what is to be tried counts from the first attempt that was one.
  if attempts == 0 then redis.call('HDEL', journal, 'first_begun_at') end
end
if ARGV[8] ~= '' then
  -- The next bubble is a send of its own: its attempts, doubts and age are counted from here.
  redis.call('HSET', journal, 'bubbles_sent', ARGV[8])
  redis.call('HDEL', journal, 'first_begun_at', 'sends', 'send_unknowns', 'sends_vanished',
    'sends_handed_over')
end
local head = redis.call('HMGET', journal, 'kind', 'accepted_at', 'seq')
if ARGV[6] == 'not asked' and not step[2] and speaks_first(head[1]) then
  local lead_wrote = lane_of(head, redis.call('HMGET', conversation, 'last_inbound', 'inbound_seq')) == 'turns'
  -- Something came in while this turn ran: what waits in front of it only gives way, at once.
  if lead_wrote or (for_its_moment(ARGV[5]) and redis.call('LLEN', KEYS[5]) > 1) then at = now end
end
redis.call('HSET', journal, 'step', step[2] and 'replied' or 'waiting')
redis.call('HSET', conversation, 'hold_until', at, 'hold_reason', ARGV[5], 'held_by', ARGV[2])
redis.call('HDEL', conversation, 'owner', 'lease_until')
redis.call('ZADD', agenda, at, ARGV[1])
note(timeline, now, 'held', ARGV[5], at, ARGV[6])
redis.call('LTRIM', timeline, -tonumber(ARGV[7]), -1)
return {'held', at}
