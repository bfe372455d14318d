-- Find the conversations of one shard that are due and move each to the time of its next ring, should this one be lost.
-- Leads who wait are all rung for; outreach that is due is made ready, and a bounded number of what is ready is rung for.
--
-- KEYS 1 agenda  2 conversation prefix  3 inbox prefix  4 journal prefix  5 ready
-- ARGV 1 at most so many  2 grace ms  3 grace limit ms  4 outreach: at most so many
-- Returns conversation name, lane, since when it waits, ... ; any number of callers share the work.

local agenda, ready = KEYS[1], KEYS[5]
local now = clock()
local answer = {}

-- Whether a turn has it, or it is held for itself.
local function not_now(state)
  return number(state[1]) > now or number(state[2]) > now
end

local function ring(name, lane, since)
  local rings = redis.call('HINCRBY', KEYS[2] .. name, 'rings', 1)
  local grace = math.min(tonumber(ARGV[2]) * 2 ^ math.min(rings - 1, 16), tonumber(ARGV[3]))
  redis.call('ZADD', agenda, now + grace, name)
  answer[#answer + 1] = name
  answer[#answer + 1] = lane
  answer[#answer + 1] = since
end

local due = redis.call('ZRANGEBYSCORE', agenda, '-inf', now, 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[1]))
for index = 1, #due, 2 do
  local name = due[index]
  local id = redis.call('LINDEX', KEYS[3] .. name, 0)
  if id then
    local head = redis.call('HMGET', KEYS[4] .. id .. ' ' .. name, 'kind', 'accepted_at', 'seq')
    local state = redis.call('HMGET', KEYS[2] .. name, 'lease_until', 'hold_until', 'last_inbound', 'inbound_seq')
    local lane = lane_of(head, {state[3], state[4]})
    if lane == 'outreach' and not not_now(state) then
      make_ready(ready, agenda, name, head[2], now)
    else
      ring(name, lane, due[index + 1])
    end
  else
    redis.call('ZREM', agenda, name)
  end
end

local room = tonumber(ARGV[4])
while room > 0 do
  local first = redis.call('ZPOPMIN', ready, room)
  if #first == 0 then break end
  for index = 1, #first, 2 do
    local name = first[index]
    local state = redis.call('HMGET', KEYS[2] .. name, 'lease_until', 'hold_until')
    -- Some have ended meanwhile, or wait for something else, for which the agenda has its time.
    if redis.call('EXISTS', KEYS[3] .. name) == 1 and not not_now(state) then
      ring(name, 'outreach', first[index + 1])
      room = room - 1
    end
  end
end
return answer
