-- Find the conversations of one shard that are due, also those that a dead process had, and move each to the time of its
-- next ring, should this one be lost.
-- Leads who wait are rung for; outreach that is due or has become ready goes into the queue of its persona, from which
-- `ring_outreach.lua` takes what its caller has room for.
--
-- most: at most so many. places: so many of each queue are told; 0 = no outreach now. in_queue: so many doorbells wait in the
-- queue of outreach. personas: the configured ones. lease_ms, process_ttl_ms: the longest lease of a conversation and of a
-- process. gap_ms: lib/deaths.lua.
-- Returns {{conversation name, lane, since when it waits, ...},
--          {persona, how many of its doorbells wait, {place of its first, of its second, ...}, ...},
--          {persona that is not configured and has been parked, ...}}
-- Any number of callers share the work, also callers that know other personas: nobody rings for a persona that it does
-- not know. Such conversations are parked and far ahead on the agenda, and the next caller that knows it takes them back.

-- So many times the bound is looked at when one persona alone fills it, and so many conversations are moved at once.
local FURTHER, AT_ONCE, FAR = 4, 1000, 3600000
local now = clock()

local known, indexed, parked_now, doorbells, offers, strangers = {}, {}, {}, {}, {}, {}
for _, persona in ipairs(personas) do known[persona] = true end

local function persona_of(name)
  return string.match(name, '^[^:]*')
end

-- Whether a turn has it, or it is held for itself.
local function not_now(state)
  return number(state[1]) > now or number(state[2]) > now
end

-- The place in the queue of its persona: by acceptance; but what was rung for, looked at and could not go gives way to
-- all that became ready before it was rung for. Not so what was held for a moment of its own, or has its answer: it has
-- had its turn already.
local function place_of(name, id, accepted_at)
  local state = redis.call('HMGET', conversation_prefix .. name, 'rung_at', 'rings', 'hold_reason')
  if not state[1] or state[2] or for_its_moment(state[3]) or for_a_place(state[3]) then
    return number(accepted_at)
  end
  local answered = id and redis.call('HEXISTS', journal_prefix .. id .. ' ' .. name, 'replied_at') == 1
  return answered and number(accepted_at) or math.max(number(accepted_at), number(state[1]))
end

local function index(persona)
  if not indexed[persona] then redis.call('SADD', queued, persona) end
  indexed[persona] = true
end

local function queue_up(name, id, accepted_at)
  redis.call('ZADD', queue_prefix .. persona_of(name), place_of(name, id, accepted_at), name)
  index(persona_of(name))
end

local function ring(name, lane, since)
  local rings = redis.call('HINCRBY', conversation_prefix .. name, 'rings', 1)
  redis.call('ZADD', agenda, now + math.min(grace_ms * 2 ^ math.min(rings - 1, 16), grace_limit_ms), name)
  doorbells[#doorbells + 1] = name
  doorbells[#doorbells + 1] = lane
  doorbells[#doorbells + 1] = since
end

local function park(name, since)
  local persona = persona_of(name)
  if redis.call('EXISTS', inbox_prefix .. name) == 0 then
    redis.call('ZREM', agenda, name)
    return
  end
  redis.call('ZADD', parked_prefix .. persona, 'NX', since, name)
  redis.call('ZADD', agenda, now + FAR, name)
  if not parked_now[persona] then
    parked_now[persona] = true
    strangers[#strangers + 1] = persona
    index(persona)
  end
end

local function take_back(persona)
  local parked = redis.call('ZPOPMIN', parked_prefix .. persona, AT_ONCE)
  for index = 1, #parked, 2 do
    local name = parked[index]
    local state = redis.call('HMGET', conversation_prefix .. name, 'lease_until', 'hold_until')
    local at = math.max(number(parked[index + 1]), number(state[1]), number(state[2]))
    -- It ended meanwhile when it is not on the agenda any more.
    redis.call('ZADD', agenda, 'XX', at, name)
  end
end

-- What is due, shared between the personas when it is more than the bound. Those that nobody here knows leave no place.
local function find_due()
  local due = redis.call('ZRANGEBYSCORE', agenda, '-inf', now, 'WITHSCORES', 'LIMIT', 0, most)
  if #due == 2 * most then
    due = redis.call('ZRANGEBYSCORE', agenda, '-inf', now, 'WITHSCORES', 'LIMIT', 0, FURTHER * most)
  end
  local by_persona, in_order, count = {}, {}, 0
  for index = 1, #due, 2 do
    local persona = persona_of(due[index])
    if not known[persona] then
      park(due[index], due[index + 1])
    else
      if not by_persona[persona] then
        by_persona[persona] = {}
        in_order[#in_order + 1] = persona
      end
      table.insert(by_persona[persona], {due[index], due[index + 1]})
      count = count + 1
    end
  end
  local found, round = {}, 1
  while #found < math.min(count, most) do
    for _, persona in ipairs(in_order) do
      local entry = by_persona[persona][round]
      if entry and #found < most then found[#found + 1] = entry end
    end
    round = round + 1
  end
  return found
end

begin_only_with_room(agenda)
end_leases_of_the_dead({agenda = agenda, conversation_prefix = conversation_prefix, processes = processes}, now,
  process_ttl_ms, gap_ms, lease_ms)
for _, persona in ipairs(redis.call('SMEMBERS', queued)) do
  if known[persona] then take_back(persona) end
end

for _, entry in ipairs(find_due()) do
  local name = entry[1]
  local id = redis.call('LINDEX', inbox_prefix .. name, 0)
  if id then
    local head = redis.call('HMGET', journal_prefix .. id .. ' ' .. name, 'kind', 'accepted_at', 'seq')
    local state = redis.call('HMGET', conversation_prefix .. name, 'lease_until', 'hold_until', 'last_inbound', 'inbound_seq')
    local lane = lane_of(head, {state[3], state[4]})
    if lane == 'outreach' and not not_now(state) then
      queue_up(name, id, head[2])
      redis.call('ZADD', agenda, now + FAR, name)
    else
      ring(name, lane, entry[2])
    end
  else
    redis.call('ZREM', agenda, name)
  end
end

if places == 0 then return {doorbells, offers, strangers} end

local became_ready = redis.call('ZPOPMIN', ready, AT_ONCE)
for index = 1, #became_ready, 2 do
  local name = became_ready[index]
  queue_up(name, redis.call('LINDEX', inbox_prefix .. name, 0), became_ready[index + 1])
end

-- How many doorbells of each persona nobody has looked at yet: they are what lies in the queue, as far as can be seen.
local waiting = {}
redis.call('ZREMRANGEBYSCORE', rung, '-inf', now - 60000)
if in_queue > 0 then
  for _, name in ipairs(redis.call('ZRANGE', rung, 0, -1)) do
    if redis.call('HEXISTS', conversation_prefix .. name, 'rings') == 1 then
      waiting[persona_of(name)] = (waiting[persona_of(name)] or 0) + 1
    else
      redis.call('ZREM', rung, name)
    end
  end
end

local function offer(persona, first)
  local at = {}
  for entry = 2, #first, 2 do at[#at + 1] = first[entry] end
  for _, value in ipairs({persona, waiting[persona] or 0, at}) do offers[#offers + 1] = value end
  waiting[persona] = nil
end

for _, persona in ipairs(redis.call('SMEMBERS', queued)) do
  local first = redis.call('ZRANGE', queue_prefix .. persona, 0, places - 1, 'WITHSCORES')
  if #first > 0 and known[persona] then
    offer(persona, first)
  elseif #first == 0 and redis.call('EXISTS', parked_prefix .. persona) == 0 then
    redis.call('SREM', queued, persona)
  end
end
-- Whose doorbells wait has a part of the room, also when nothing else of it is ready.
local others = {}
for persona in pairs(waiting) do others[#others + 1] = persona end
for _, persona in ipairs(others) do offer(persona, {}) end
return {doorbells, offers, strangers}
