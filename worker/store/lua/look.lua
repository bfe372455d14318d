-- Say what is due, and change nothing of it: the one thing that is asked at each tick, so that a tick of a quiet store is
-- cheap. It also keeps the clock of all shards (clock.lua), in which nothing else may happen for hours, and the time of
-- this look for signs of processes (deaths.lua).
--
-- looked_at: of each shard agenda, ready, follow_ups, queued, errands, processes; after all of them the lists in which events
-- of foreign producers may lie, when they are lists of this server. gap_ms: lib/deaths.lua. personas: the configured ones;
-- what waits for others is not said.
-- Returns {follow-ups due, messages wait in those lists, errands due (1 or 0 each), milliseconds until the next conversation
-- or process falls due in a shard where none is now (-1 = there is none), number of each shard (from 0) in which something is
-- due or ready, a process may be dead, or whose clock has stepped, ...}

local function any(offset)
  local keys = {}
  for shard = 1, shards do keys[shard] = looked_at[6 * shard - 6 + offset] end
  return redis.call('EXISTS', unpack(keys)) > 0
end

-- "parley:{NN}:"
local function tag_of(shard)
  return string.sub(looked_at[6 * shard - 5], 1, 12)
end

local function due(key)
  local first = tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
  return first and first <= clock(), first
end

local known
local function any_known(key)
  if not known then
    known = {}
    for _, persona in ipairs(personas) do known[persona] = true end
  end
  for _, persona in ipairs(redis.call('SMEMBERS', key)) do
    if known[persona] then return true end
  end
  return false
end

local work, follow_ups, errands, upcoming = {}, 0, 0, math.huge
local agendas, ready, planned, queued, noted, processes = any(1), any(2), any(3), any(4), any(5), any(6)
local clocks
if agendas or planned or noted then
  local keys = {}
  for shard = 1, shards do keys[shard] = tag_of(shard) .. 'clock' end
  clocks = redis.call('MGET', unpack(keys))
end

-- Whether the clock of a shard has stepped: the next script there sees to it.
local function has_stepped(shard, waits)
  if not clocks then return false end
  local kept = tonumber(clocks[shard])
  local seen = kept or (waits and rare.latest_acceptance(tag_of(shard))) or 0
  local behind = clock() - seen
  if behind < -STEP_MS or (kept and waits and behind > LEASE_MS + GAP_MS) then return true end
  if not kept or behind > SEEN_MS then rare.keep_clock(tag_of(shard) .. 'clock', clock()) end
  return false
end

local watched
if processes then
  local keys = {}
  for shard = 1, shards do keys[shard] = tag_of(shard) .. 'watched' end
  watched = redis.call('MGET', unpack(keys))
end

-- Whether processes of a shard have to be judged now. If not, that is known by now.
local function to_be_judged(shard, at_once)
  if clock() > number(watched[shard]) + gap_ms or at_once then return true end
  redis.pcall('SET', tag_of(shard) .. 'watched', stamp(clock()), 'PX', '60000')
  return false
end

for shard = 1, shards do
  local offset = 6 * shard - 6
  local now_due, first
  if agendas then now_due, first = due(looked_at[offset + 1]) end
  if first and not now_due then upcoming = math.min(upcoming, first - clock()) end
  local stepped = has_stepped(shard, first)
  local outreach = (ready and redis.call('EXISTS', looked_at[offset + 2]) == 1) or (queued and any_known(looked_at[offset + 4]))
  local may_be_dead
  if processes then
    local over, ends_at = due(looked_at[offset + 6])
    if ends_at then
      may_be_dead = to_be_judged(shard, over)
      if not may_be_dead then upcoming = math.min(upcoming, ends_at - clock()) end
    end
  end
  if now_due or stepped or outreach or may_be_dead then
    work[#work + 1] = shard - 1
  end
  if planned and follow_ups == 0 and due(looked_at[offset + 3]) then follow_ups = 1 end
  if noted and errands == 0 and due(looked_at[offset + 5]) then errands = 1 end
end
local accept = #looked_at > 6 * shards and math.min(1, redis.call('EXISTS', unpack(looked_at, 6 * shards + 1))) or 0
local next_ms = upcoming < math.huge and math.ceil(upcoming) or -1
return {follow_ups, accept, errands, next_ms, unpack(work)}
