-- Take or renew the right to send to an endpoint: one process at a time, and a crashed one is followed by another.
--
-- endpoint: holder, until (its end, ms), fence (grows with each holder), revision (grows when an operator moves or frees
-- the endpoint), paused. holder: this process.
-- Returns fence, the time, revision, whether it is paused; fence 0 = another one has the right.

finish_even_when_full(endpoint)
local now = clock()
local known = redis.call('HMGET', endpoint, 'holder', 'until', 'fence', 'revision', 'paused')
local ends = number(known[2])
local fence = number(known[3])
if known[1] ~= holder then
  -- An end that is too far away was given before the clock stepped back.
  if known[1] and ends > now and ends <= now + lease_ms then return {'0', now, '0', 0} end
  fence = fence + 1
  redis.call('HSET', endpoint, 'holder', holder, 'fence', stamp(fence))
end
redis.call('HSET', endpoint, 'until', stamp(now + lease_ms))
redis.call('PEXPIRE', endpoint, kept_ms)
return {stamp(fence), now, known[4] or '0', known[5] and 1 or 0}
