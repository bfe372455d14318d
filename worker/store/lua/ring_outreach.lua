-- Take the first of some personas' queues of outreach in one shard, and move each to the time of its next ring, should
-- this one be lost.
--
-- wanted: a persona, how many of it, and so on.
-- Returns conversation name, its place, ... ; any number of callers share the work.

local now = clock()
local answer = {}
begin_only_with_room(agenda)

local function ring(name, place)
  local rings = redis.call('HINCRBY', conversation_prefix .. name, 'rings', 1)
  redis.call('HSET', conversation_prefix .. name, 'rung_at', now)
  redis.call('ZADD', agenda, now + math.min(grace_ms * 2 ^ math.min(rings - 1, 16), grace_limit_ms), name)
  redis.call('ZADD', rung, now, name)
  answer[#answer + 1] = name
  answer[#answer + 1] = place
end

for index = 1, #wanted, 2 do
  local persona, room = wanted[index], tonumber(wanted[index + 1])
  local queue = queue_prefix .. persona
  while room > 0 do
    local first = redis.call('ZPOPMIN', queue, room)
    if #first == 0 then break end
    for entry = 1, #first, 2 do
      local name = first[entry]
      local state = redis.call('HMGET', conversation_prefix .. name, 'lease_until', 'hold_until')
      -- Some have ended meanwhile, or wait for something else, for which the agenda has its time.
      local free = number(state[1]) <= now and number(state[2]) <= now
      if free and redis.call('EXISTS', inbox_prefix .. name) == 1 then
        ring(name, first[entry + 1])
        room = room - 1
      end
    end
  end
  if redis.call('EXISTS', queue, parked_prefix .. persona) == 0 then redis.call('SREM', queued, persona) end
end
return answer
