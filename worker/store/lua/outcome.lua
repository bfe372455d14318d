-- Count how an opener ended; close the gate "outreach" in the persona's home shard when too many of the last ones ended
-- badly.
--
-- persona: its gates in its home shard. ended: good | bad. window: so many of the last are counted. share: that closes, 0 =
-- never; minimum: at least so many must be counted. begun_at: milliseconds when this opener was begun, or ''.
-- Returns {counted, bad, reason of the closed gate or '', 1 = this opener closed it}.
-- An opener that was begun before a person opened the gate counts nothing: it is one of those that closed it.
-- Twice for one opener: the second time counts nothing and answers the same.

local of_before = begun_at ~= '' and tonumber(begun_at) < number(redis.call('HGET', ramp, 'resumed_at'))
local lines = redis.call('LRANGE', outcomes, 0, -1)
local erased = 'forgotten ' .. redis.sha1hex(opener)
local known = false
for _, line in ipairs(lines) do
  local whose = string.match(line, ' (.*)$')
  known = known or whose == opener or whose == erased
end
finish_even_when_full(outcomes)
if not known and not of_before then
  redis.call('LPUSH', outcomes, ended .. ' ' .. opener)
  redis.call('LTRIM', outcomes, 0, window - 1)
  lines = redis.call('LRANGE', outcomes, 0, -1)
end
local bad = 0
for _, line in ipairs(lines) do
  if string.sub(line, 1, 4) == 'bad ' then bad = bad + 1 end
end
if share > 0 and not of_before and #lines >= minimum and bad / #lines >= share then
  local reason = 'openers_bad bad=' .. bad .. ' counted=' .. #lines
  if redis.call('HSETNX', persona, 'outreach', reason) == 1 then
    redis.call('HSET', ramp, 'stopped_by', opener)
    notice_persona(ramp, string.match(opener, '^%S+ ([^:]*)'), clock(), 'held', 'outreach')
  end
end
local closed = redis.call('HGET', persona, 'outreach')
local own = closed and redis.call('HGET', ramp, 'stopped_by') == opener
return {#lines, bad, closed or '', own and 1 or 0}
