-- Say what is due, and change nothing: the one thing that is asked at each tick, so that a tick of a quiet store is cheap.
--
-- KEYS of each shard: agenda, ready, follow_ups, queued, errands; after all of them the queue accept, when it is a list of
-- this server
-- ARGV the configured personas: what waits for others is not said
-- Returns {follow-ups due, messages wait in accept, errands due (1 or 0 each), milliseconds until the next conversation
-- falls due in a shard where none is now (-1 = there is none), number of each shard (from 0) in which something is due or
-- ready, ...}

local shards = math.floor(#KEYS / 5)
local now

local function any(offset)
  local keys = {}
  for shard = 1, shards do keys[shard] = KEYS[5 * shard - 5 + offset] end
  return redis.call('EXISTS', unpack(keys)) > 0
end

local function due(key)
  now = now or clock()
  local first = tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
  return first and first <= now, first
end

local known
local function any_known(key)
  if not known then
    known = {}
    for _, persona in ipairs(ARGV) do known[persona] = true end
  end
  for _, persona in ipairs(redis.call('SMEMBERS', key)) do
    if known[persona] then return true end
  end
  return false
end

local work, follow_ups, errands, upcoming = {}, 0, 0, math.huge
local agendas, ready, planned, queued, noted = any(1), any(2), any(3), any(4), any(5)
for shard = 1, shards do
  local offset = 5 * shard - 5
  local now_due, first
  if agendas then now_due, first = due(KEYS[offset + 1]) end
  if first and not now_due then upcoming = math.min(upcoming, first - now) end
  if now_due or (ready and redis.call('EXISTS', KEYS[offset + 2]) == 1) or (queued and any_known(KEYS[offset + 4])) then
    work[#work + 1] = shard - 1
  end
  if planned and follow_ups == 0 and due(KEYS[offset + 3]) then follow_ups = 1 end
  if noted and errands == 0 and due(KEYS[offset + 5]) then errands = 1 end
end
local accept = KEYS[5 * shards + 1]
local next_ms = upcoming < math.huge and math.ceil(upcoming) or -1
return {follow_ups, accept and redis.call('EXISTS', accept) or 0, errands, next_ms, unpack(work)}
