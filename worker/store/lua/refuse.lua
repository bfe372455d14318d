-- Keep what could not be accepted as a dead letter of its own, so that it is not lost; beyond the limits only count it.
--
-- KEYS 1 journal prefix  2 dead  3 books  4 timeline  5 inbox  6 only_counted
-- ARGV 1 conversation name  2 event id  3 payload, perhaps cut  4 reason  5 dead retention ms  6 timeline entries
--      7 bytes of the whole payload when it was cut, or ''  8 letters that the conversation may have  9 and all of the
--      shard together, or '' = this conversation is none of them
--      10... SHA-1 of the whole payload as this process would store it; then as it would be stored with other keys
-- Returns the id under which it is kept; '' when it already was; nil when there was no room and it was only counted.
-- One id with one payload is one letter. When something else has the id (an event, or another refused payload), the
-- letter gets an id of its own, made from both. So twice for one call changes nothing the second time.

local prefix, timeline, name, id = KEYS[1], KEYS[4], ARGV[1], ARGV[2]

local function journal_of(event_id)
  return prefix .. event_id .. ' ' .. name
end

-- Whether the id is in use, and whether by this very payload.
local function taken(event_id)
  local entry = redis.call('HMGET', journal_of(event_id), 'kind', 'payload', 'digest')
  if entry[1] ~= 'refused' then return entry[1], false end
  local digest = entry[3] or redis.sha1hex(entry[2] or '')
  for index = 10, #ARGV do
    if digest == ARGV[index] then return true, true end
  end
  return true, false
end

local function own_id(digest)
  return id .. '-refused-' .. string.sub(digest, 1, 12)
end

local in_use, known = taken(id)
if known then return '' end
if in_use then
  for index = 10, #ARGV do
    if taken(own_id(ARGV[index])) then return '' end
  end
  id = own_id(ARGV[10])
end

local now, retention = clock(), tonumber(ARGV[5])
local all, own = refused_indexes(prefix, name)
local function kept(letters)
  return redis.call('ZCOUNT', letters, now - retention, '+inf')
end
local of_shard = tonumber(ARGV[9])
-- What is refused must not fill the store: its sender keeps it meanwhile.
begin_only_with_room(KEYS[2])
if kept(own) >= tonumber(ARGV[8]) or (of_shard and kept(all) >= of_shard) then
  local this = redis.sha1hex(id .. ' ' .. name .. ' ' .. ARGV[10])
  if redis.call('HGET', KEYS[6], ':last') ~= this then
    redis.call('HINCRBY', KEYS[6], string.match(name, '^[^:]*'), 1)
    redis.call('HSET', KEYS[6], ':last', this)
  end
  return nil
end

-- What is of another type than it should be fails here, before anything is written.
redis.call('ZCARD', KEYS[2])
redis.call('HLEN', KEYS[3])
redis.call('LLEN', timeline)

local journal = journal_of(id)
redis.call('HSET', journal, 'kind', 'refused', 'payload', ARGV[3], 'accepted_at', now, 'step', 'settled', 'fate', 'dead',
  'reason', ARGV[4], 'settled_at', now, 'digest', ARGV[10])
if ARGV[7] ~= '' then redis.call('HSET', journal, 'whole_bytes', ARGV[7]) end
redis.call('PEXPIRE', journal, retention)
redis.call('ZADD', KEYS[2], now, id .. ' ' .. name)
local function index(letters, member)
  redis.call('ZADD', letters, now, member)
  redis.call('ZREMRANGEBYSCORE', letters, '-inf', now - retention)
  redis.call('PEXPIRE', letters, retention)
end
index(own, id)
if of_shard then index(all, id .. ' ' .. name) end
count(KEYS[3], name, 'accepted')
count(KEYS[3], name, 'dead')
-- The timeline of a conversation in which something waits does not expire, and no refusal ends another one's earlier.
local ends = redis.call('PTTL', timeline)
note(timeline, now, 'refused', ARGV[4])
redis.call('LTRIM', timeline, -tonumber(ARGV[6]), -1)
if redis.call('EXISTS', KEYS[5]) == 1 then
  redis.call('PERSIST', timeline)
elseif ends ~= -1 then
  redis.call('PEXPIRE', timeline, math.max(ends, retention))
end
return id
