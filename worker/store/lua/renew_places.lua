-- Move the end of places whose calls are still being made.
--
-- KEYS 1 running
-- ARGV 1 lease ms  2... tokens
-- Returns how many there were.

finish_even_when_full(KEYS[1])
local at, renewed = clock() + tonumber(ARGV[1]), 0
for index = 2, #ARGV do
  if redis.call('ZSCORE', KEYS[1], ARGV[index]) then
    redis.call('ZADD', KEYS[1], at, ARGV[index])
    renewed = renewed + 1
  end
end
return renewed
