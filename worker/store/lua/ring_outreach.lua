-- Take the first of some personas' queues of outreach in one shard, and move each to the time of its next ring, should
-- this one be lost.
--
-- KEYS 1 agenda  2 conversation prefix  3 inbox prefix  4 queue prefix  5 rung  6 queued  7 parked prefix
-- ARGV 1 grace ms  2 grace limit ms  3... persona, how many of it, ...
-- Returns conversation name, its place, ... ; any number of callers share the work.

local grace, grace_limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = clock()
local answer = {}
begin_only_with_room(KEYS[1])

local function ring(name, place)
  local rings = redis.call('HINCRBY', KEYS[2] .. name, 'rings', 1)
  redis.call('HSET', KEYS[2] .. name, 'rung_at', now)
  redis.call('ZADD', KEYS[1], now + math.min(grace * 2 ^ math.min(rings - 1, 16), grace_limit), name)
  redis.call('ZADD', KEYS[5], now, name)
  answer[#answer + 1] = name
  answer[#answer + 1] = place
end

for index = 3, #ARGV, 2 do
  local persona, room = ARGV[index], tonumber(ARGV[index + 1])
  local queue = KEYS[4] .. persona
  while room > 0 do
    local first = redis.call('ZPOPMIN', queue, room)
    if #first == 0 then break end
    for entry = 1, #first, 2 do
      local name = first[entry]
      local state = redis.call('HMGET', KEYS[2] .. name, 'lease_until', 'hold_until')
      -- Some have ended meanwhile, or wait for something else, for which the agenda has its time.
      local free = number(state[1]) <= now and number(state[2]) <= now
      if free and redis.call('EXISTS', KEYS[3] .. name) == 1 then
        ring(name, first[entry + 1])
        room = room - 1
      end
    end
  end
  if redis.call('EXISTS', queue, KEYS[7] .. persona) == 0 then redis.call('SREM', KEYS[6], persona) end
end
return answer
