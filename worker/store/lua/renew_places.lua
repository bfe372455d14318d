-- Move the end of places whose calls are still being made.
--
-- tokens: of the calls.
-- Returns how many there were.

finish_even_when_full(running)
local at, renewed = clock() + lease_ms, 0
for _, token in ipairs(tokens) do
  if redis.call('ZSCORE', running, token) then
    redis.call('ZADD', running, at, token)
    renewed = renewed + 1
  end
end
return renewed
