-- Leave the head in place until a given time, for a stated reason, and let go of the lease.
--
-- KEYS 1 conversation  2 agenda  3 timeline  4 journal of the head  5 inbox
-- ARGV 1 conversation name  2 token  3 fence  4 ms to wait  5 reason  6 outcome: known | unknown | not asked
--      7 timeline entries  8 how many bubbles of the reply have surely been sent, or ''
--      9 the failed attempt of this turn: "<what> <pause ms> <limit> <why>", or ''
--      10 1 = it counts against the event at once  11 1 = the failed attempt before it counts
-- Returns {'held' | 'repeated' | 'lost', until}. Twice for one caller: the second time answers `repeated`.

local conversation, agenda, timeline, journal = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now = clock()

-- Of many attempts that all ended with one reason the timeline keeps the first ones and the last: its number tells how
-- many there were.
local function shorten(entries, reason)
  local last = redis.call('LRANGE', entries, -4, -1)
  if #last < 4 then return end
  local first, third, attempt = cjson.decode(last[1]), cjson.decode(last[3]), cjson.decode(last[4])[3]
  if (tonumber(attempt) or 0) <= 10 then return end
  if first[2] == 'held' and first[3] == reason and third[2] == 'held' and third[3] == reason then
    redis.call('LTRIM', entries, 0, -4)
    redis.call('RPUSH', entries, last[4])
  end
end
local state = redis.call('HMGET', conversation, 'owner', 'fence', 'held_by', 'hold_until')
if state[1] ~= ARGV[2] or state[2] ~= ARGV[3] then
  return {state[3] == ARGV[2] and 'repeated' or 'lost', number(state[4])}
end
finish_even_when_full(conversation)
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
  redis.call('HINCRBY', journal, step[2] and 'sends' or 'asks', -1)
end
if ARGV[8] ~= '' then
  -- The next bubble is a send of its own: its attempts, doubts and budget are counted from here.
  redis.call('HSET', journal, 'bubbles_sent', ARGV[8])
  redis.call('HDEL', journal, 'sends', 'send_unknowns', 'sends_vanished', 'sends_handed_over', 'failures', 'failures_ms',
    'failed')
end
if ARGV[9] ~= '' then
  local function count_failure(pause_ms)
    redis.call('HINCRBY', journal, 'failures', 1)
    redis.call('HINCRBY', journal, 'failures_ms', pause_ms)
  end
  local before = ARGV[11] == '1' and redis.call('HGET', journal, 'failed')
  if before then count_failure(string.match(before, '^%d+ %l+ (%d+) ')) end
  -- What counts at once is never judged again.
  if ARGV[10] == '1' then count_failure(string.match(ARGV[9], '^%l+ (%d+) ')) end
  redis.call('HSET', journal, 'failed', (ARGV[10] == '1' and 9999999999999 or now) .. ' ' .. ARGV[9])
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
if ARGV[6] ~= 'not asked' then shorten(timeline, ARGV[5]) end
note(timeline, now, 'held', ARGV[5], at, ARGV[6])
redis.call('LTRIM', timeline, -tonumber(ARGV[7]), -1)
return {'held', at}
