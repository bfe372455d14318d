-- Keep what could not be accepted as a dead letter of its own, so that it is not lost.
--
-- KEYS 1 journal prefix  2 dead  3 books  4 timeline
-- ARGV 1 conversation name  2 event id  3 payload  4 reason  5 dead retention ms
-- Returns the id under which it is kept, or '' when it already was.
-- One id with one payload is one letter. When something else has the id (an event, or another refused payload), the
-- letter gets an id of its own, made from both. So twice for one call changes nothing the second time.

local name, id, payload = ARGV[1], ARGV[2], ARGV[3]

local function journal()
  return KEYS[1] .. id .. ' ' .. name
end

local taken = redis.call('HMGET', journal(), 'kind', 'payload')
if taken[1] and not (taken[1] == 'refused' and taken[2] == payload) then
  id = id .. '-refused-' .. string.sub(redis.sha1hex(payload), 1, 12)
  taken = redis.call('HMGET', journal(), 'kind')
end
if taken[1] then
  return ''
end
-- What is refused must not fill the store: its sender keeps it meanwhile.
begin_only_with_room(KEYS[2])
local now = clock()
redis.call('HSET', journal(), 'kind', 'refused', 'payload', payload, 'accepted_at', now, 'step', 'settled',
  'fate', 'dead', 'reason', ARGV[4], 'settled_at', now)
redis.call('PEXPIRE', journal(), ARGV[5])
redis.call('ZADD', KEYS[2], now, id .. ' ' .. name)
count(KEYS[3], name, 'accepted')
count(KEYS[3], name, 'dead')
note(KEYS[4], now, 'refused', ARGV[4])
redis.call('LTRIM', KEYS[4], -200, -1)
redis.call('PEXPIRE', KEYS[4], ARGV[5])
return id
