-- Close a gate of a persona, or that of a channel, in one shard; a gate never closes for less than it already is.
--
-- gates: of a persona or of a channel. gate: hold | circuit | credits | channel; or paused | quarantined | outreach, which only
-- a person opens. interval_ms: of a hold until it ends, else between two tries; 0 for those that a person opens.
-- longest_ms: between two tries when each failed one doubles them, or ''. token: of a try that failed, or ''.
-- owner: when this is its home shard, which sees to the tries, or ''.
-- Returns {milliseconds when the gate opens or is tried next, 1 = this call closed it}. Twice for one call: the interval
-- grows once.

local now = clock()

-- Its home shard tells it, once. What is a channel's is no persona's.
local function notice_closed()
  if owner == '' or gate == 'channel' then return end
  notice_persona(gates, owner, now, gate == 'quarantined' and 'quarantined' or 'held', gate)
end

if interval_ms == 0 then
  finish_even_when_full(gates)
  if redis.call('HSET', gates, gate, reason) == 1 then notice_closed() end
  -- An opening that is not finished yet must not open it again.
  if owner ~= '' then redis.call('ZREM', errands, 'open ' .. gate .. ' ' .. owner) end
  return {0, 1}
end
local past = redis.call('HMGET', gates, gate .. '_until', gate .. '_interval', gate .. '_failed_by')
local at = number(past[1])
finish_even_when_full(gates)
if gate == 'hold' then
  at = math.max(at, now + interval_ms)
elseif not past[1] then
  at = now + interval_ms
  redis.call('HSET', gates, gate .. '_interval', interval_ms)
elseif longest_ms ~= '' and token ~= '' and past[3] ~= token then
  interval_ms = math.min(number(past[2]) * 2, tonumber(longest_ms))
  at = now + interval_ms
  redis.call('HSET', gates, gate .. '_interval', interval_ms, gate .. '_failed_by', token)
else
  return {at, 0}
end
redis.call('HSET', gates, gate .. '_until', at, gate .. '_reason', reason)
if gate ~= 'hold' and owner ~= '' then
  redis.call('ZADD', errands, at, 'probe ' .. gate .. ' ' .. owner)
  redis.call('ZREM', errands, 'open ' .. gate .. ' ' .. owner)
end
local closed = not past[1] or number(past[1]) <= now
if closed then notice_closed() end
return {at, closed and 1 or 0}
