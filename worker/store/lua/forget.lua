-- Erase all that is stored of one conversation in its shard. What waits gets its fate first, so the books stay true.
--
-- KEYS 1 conversation  2 inbox  3 agenda  4 timeline  5 books  6 follow_ups  7 dead  8 sealed  9 journal prefix
--      10 ready  11 taken_over  12 queue of the persona  13 parked of the persona  14 rung
-- ARGV 1 conversation name  2 reason for what waits  3... ids of journals that were found
-- Returns {'forgotten' | 'busy' (a turn runs, nothing was changed), events that waited, journals erased}.
-- Twice for one call: the second time finds nothing, and changes nothing.

local conversation, inbox, prefix, name = KEYS[1], KEYS[2], KEYS[9], ARGV[1]
local now = clock()
if number(redis.call('HGET', conversation, 'lease_until')) > now then return {'busy', 0, 0} end

finish_even_when_full(conversation)
local waiting, ids = redis.call('LRANGE', inbox, 0, -1), {}
for _, id in ipairs(waiting) do
  end_event(prefix .. id .. ' ' .. name, KEYS[5], name, 'skipped', ARGV[2], now, 1000)
  ids[id] = true
end
for index = 3, #ARGV do ids[ARGV[index]] = true end
local erased = 0
for id in pairs(ids) do
  erased = erased + redis.call('DEL', prefix .. id .. ' ' .. name)
  redis.call('ZREM', KEYS[7], id .. ' ' .. name)
end
local all_refused, own_refused = refused_indexes(prefix, name)
for _, id in ipairs(redis.call('ZRANGE', own_refused, 0, -1)) do
  redis.call('ZREM', all_refused, id .. ' ' .. name)
  redis.call('ZREM', KEYS[7], id .. ' ' .. name)
end
redis.call('DEL', conversation, inbox, KEYS[4], own_refused)
redis.call('ZREM', KEYS[3], name)
redis.call('ZREM', KEYS[6], name)
for _, index in ipairs({KEYS[10], KEYS[12], KEYS[13], KEYS[14]}) do redis.call('ZREM', index, name) end
redis.call('HDEL', KEYS[8], name)
redis.call('HDEL', KEYS[11], name)
return {'forgotten', #waiting, erased}
