-- Count how an opener ended; close the gate "outreach" in the persona's home shard when too many of the last ones ended
-- badly.
--
-- KEYS 1 outcomes  2 persona (home shard)  3 ramp
-- ARGV 1 opener  2 good | bad  3 window: so many of the last are counted  4 share that closes, 0 = never
--      5 at least so many must be counted  6 milliseconds when this opener was begun, or ''
-- Returns {counted, bad, reason of the closed gate or '', 1 = this opener closed it}.
-- An opener that was begun before a person opened the gate counts nothing: it is one of those that closed it.
-- Twice for one opener: the second time counts nothing and answers the same.

local outcomes, opener = KEYS[1], ARGV[1]
local of_before = ARGV[6] ~= '' and tonumber(ARGV[6]) < number(redis.call('HGET', KEYS[3], 'resumed_at'))
local lines = redis.call('LRANGE', outcomes, 0, -1)
local known = false
for _, line in ipairs(lines) do
  known = known or line == 'bad ' .. opener or line == 'good ' .. opener
end
finish_even_when_full(outcomes)
if not known and not of_before then
  redis.call('LPUSH', outcomes, ARGV[2] .. ' ' .. opener)
  redis.call('LTRIM', outcomes, 0, tonumber(ARGV[3]) - 1)
  lines = redis.call('LRANGE', outcomes, 0, -1)
end
local bad = 0
for _, line in ipairs(lines) do
  if string.sub(line, 1, 4) == 'bad ' then bad = bad + 1 end
end
local share = tonumber(ARGV[4])
if share > 0 and not of_before and #lines >= tonumber(ARGV[5]) and bad / #lines >= share then
  local reason = 'openers_bad bad=' .. bad .. ' counted=' .. #lines
  if redis.call('HSETNX', KEYS[2], 'outreach', reason) == 1 then
    redis.call('HSET', KEYS[3], 'stopped_by', opener)
  end
end
local closed = redis.call('HGET', KEYS[2], 'outreach')
local own = closed and redis.call('HGET', KEYS[3], 'stopped_by') == opener
return {#lines, bad, closed or '', own and 1 or 0}
