-- Keep what could not be accepted as a dead letter of its own, so that it is not lost; beyond the limits only count it.
--
-- payload: perhaps cut; whole_bytes: how many the whole one has when it was cut, or ''. dead_ms: retention.
-- most_of_conversation: letters that the conversation may have. most_of_shard: those that the shard may have, all together,
-- or '' = this conversation is none of them.
-- digests: SHA-1 of the whole payload as this process would store it; then as it would be stored with other keys.
-- Returns the id under which it is kept; '' when it already was; nil when there was no room and it was only counted.
-- One id with one payload is one letter. When something else has the id (an event, or another refused payload), the
-- letter gets an id of its own, made from both. So twice for one call changes nothing the second time.

-- The id under which it is kept.
local id = event_id

local function journal_of(event)
  return journal_prefix .. event .. ' ' .. name
end

-- Whether the id is in use, and whether by this very payload.
local function taken(event)
  local entry = redis.call('HMGET', journal_of(event), 'kind', 'payload', 'digest')
  if entry[1] ~= 'refused' then return entry[1], false end
  local digest = entry[3] or redis.sha1hex(entry[2] or '')
  for _, own_digest in ipairs(digests) do
    if digest == own_digest then return true, true end
  end
  return true, false
end

local function own_id(digest)
  return id .. '-refused-' .. string.sub(digest, 1, 12)
end

local in_use, known = taken(id)
if known then return '' end
if in_use then
  for _, digest in ipairs(digests) do
    if taken(own_id(digest)) then return '' end
  end
  id = own_id(digests[1])
end

local now = clock()
local all, own = refused_indexes(journal_prefix, name)
local function kept(letters)
  return redis.call('ZCOUNT', letters, now - dead_ms, '+inf')
end
local of_shard = tonumber(most_of_shard)
-- What is refused must not fill the store: its sender keeps it meanwhile.
begin_only_with_room(dead)
if kept(own) >= most_of_conversation or (of_shard and kept(all) >= of_shard) then
  local this = redis.sha1hex(id .. ' ' .. name .. ' ' .. digests[1])
  if redis.call('HGET', only_counted, ':last') ~= this then
    redis.call('HINCRBY', only_counted, string.match(name, '^[^:]*'), 1)
    redis.call('HSET', only_counted, ':last', this)
  end
  return nil
end

-- What is of another type than it should be fails here, before anything is written.
redis.call('ZCARD', dead)
redis.call('HLEN', books)
redis.call('LLEN', timeline)

local journal = journal_of(id)
redis.call('HSET', journal, 'kind', 'refused', 'payload', payload, 'accepted_at', now, 'step', 'settled', 'fate', 'dead',
  'reason', reason, 'settled_at', now, 'digest', digests[1])
if whole_bytes ~= '' then redis.call('HSET', journal, 'whole_bytes', whole_bytes) end
redis.call('PEXPIRE', journal, dead_ms)
redis.call('ZADD', dead, now, id .. ' ' .. name)
local function index(letters, member)
  redis.call('ZADD', letters, now, member)
  redis.call('ZREMRANGEBYSCORE', letters, '-inf', now - dead_ms)
  redis.call('PEXPIRE', letters, dead_ms)
end
index(own, id)
if of_shard then index(all, id .. ' ' .. name) end
count(books, name, 'accepted')
count(books, name, 'dead')
notice_event(journal, name, now, 'dead', reason)
-- The timeline of a conversation in which something waits does not expire, and no refusal ends another one's earlier.
local ends = redis.call('PTTL', timeline)
note(timeline, now, 'refused', reason)
redis.call('LTRIM', timeline, -timeline_entries, -1)
if redis.call('EXISTS', inbox) == 1 then
  redis.call('PERSIST', timeline)
elseif ends ~= -1 then
  redis.call('PEXPIRE', timeline, math.max(ends, dead_ms))
end
return id
