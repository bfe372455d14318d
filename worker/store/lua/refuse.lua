-- Keep what could not be accepted as a dead letter of its own, so that it is not lost.
--
-- KEYS 1 journal  2 dead  3 books  4 timeline
-- ARGV 1 conversation name  2 event id  3 payload  4 reason  5 dead retention ms
-- Returns 1 when stored, 0 when it already was.

if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
local now = clock()
redis.call('HSET', KEYS[1], 'kind', 'refused', 'payload', ARGV[3], 'accepted_at', now, 'step', 'settled', 'fate', 'dead',
  'reason', ARGV[4], 'settled_at', now)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[2], now, ARGV[2] .. ' ' .. ARGV[1])
count(KEYS[3], ARGV[1], 'accepted')
count(KEYS[3], ARGV[1], 'dead')
note(KEYS[4], now, 'refused', ARGV[4])
redis.call('LTRIM', KEYS[4], -200, -1)
redis.call('PEXPIRE', KEYS[4], ARGV[5])
return 1
