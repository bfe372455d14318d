-- Open a gate in its owner's home shard, and note that the other shards and those who wait have to follow: should this
-- process end before they did, another one goes on (errands.lua).
--
-- KEYS 1 persona or channel  2 errands
-- ARGV 1 gate  2 owner  3 ms after which another process goes on  4... fields of the gate
-- Returns 1. Twice for one call: the second time changes nothing.

finish_even_when_full(KEYS[1])
redis.call('HDEL', KEYS[1], unpack(ARGV, 4))
redis.call('ZREM', KEYS[2], 'probe ' .. ARGV[1] .. ' ' .. ARGV[2])
redis.call('ZADD', KEYS[2], clock() + tonumber(ARGV[3]), 'open ' .. ARGV[1] .. ' ' .. ARGV[2])
return 1
