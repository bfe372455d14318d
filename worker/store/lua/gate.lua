-- Close a gate of a persona, or that of a channel, in one shard; a gate never closes for less than it already is.
--
-- KEYS 1 persona or channel  2 errands
-- ARGV 1 hold | circuit | credits | channel; or paused | quarantined | outreach, which only a person opens
--      2 ms: of a hold until it ends, else between two tries; 0 for those that a person opens  3 longest ms between
--      two tries when each failed one doubles them, or ''  4 reason  5 token of a try that failed, or ''
--      6 owner when this is its home shard, which sees to the tries, or ''
-- Returns {milliseconds when the gate opens or is tried next, 1 = this call closed it}. Twice for one call: the interval
-- grows once.

local gate, interval = ARGV[1], tonumber(ARGV[2])
local now = clock()
if interval == 0 then
  finish_even_when_full(KEYS[1])
  redis.call('HSET', KEYS[1], gate, ARGV[4])
  -- An opening that is not finished yet must not open it again.
  if ARGV[6] ~= '' then redis.call('ZREM', KEYS[2], 'open ' .. gate .. ' ' .. ARGV[6]) end
  return {0, 1}
end
local past = redis.call('HMGET', KEYS[1], gate .. '_until', gate .. '_interval', gate .. '_failed_by')
local at = number(past[1])
finish_even_when_full(KEYS[1])
if gate == 'hold' then
  at = math.max(at, now + interval)
elseif not past[1] then
  at = now + interval
  redis.call('HSET', KEYS[1], gate .. '_interval', interval)
elseif ARGV[3] ~= '' and ARGV[5] ~= '' and past[3] ~= ARGV[5] then
  interval = math.min(number(past[2]) * 2, tonumber(ARGV[3]))
  at = now + interval
  redis.call('HSET', KEYS[1], gate .. '_interval', interval, gate .. '_failed_by', ARGV[5])
else
  return {at, 0}
end
redis.call('HSET', KEYS[1], gate .. '_until', at, gate .. '_reason', ARGV[4])
if gate ~= 'hold' and ARGV[6] ~= '' then
  redis.call('ZADD', KEYS[2], at, 'probe ' .. gate .. ' ' .. ARGV[6])
  redis.call('ZREM', KEYS[2], 'open ' .. gate .. ' ' .. ARGV[6])
end
return {at, (not past[1] or number(past[1]) <= now) and 1 or 0}
