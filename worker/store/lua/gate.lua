-- Close a persona's gate in one shard until a time from now; a gate never closes for less than it already is.
--
-- KEYS 1 persona
-- ARGV 1 hold | circuit | credits  2 ms  3 longest ms when growing, or ''  4 reason  5 1 = the gate's probe failed
-- Returns milliseconds when the gate opens (or is due for a probe). Twice for one call: the interval grows once.

local gate, interval = ARGV[1], tonumber(ARGV[2])
local now = clock()
local past = redis.call('HMGET', KEYS[1], gate .. '_until', gate .. '_interval')
finish_even_when_full(KEYS[1])
if gate ~= 'hold' then
  -- A probe is made when the gate is due, so one that finds it closed for longer has said so before.
  local said = number(past[1]) > now + interval / 2
  if past[1] and (ARGV[5] ~= '1' or said) then
    return number(past[1])
  end
  if past[2] then
    interval = math.min(number(past[2]) * 2, tonumber(ARGV[3]))
  end
  redis.call('HSET', KEYS[1], gate .. '_interval', interval)
end
local at = math.max(number(past[1]), now + interval)
redis.call('HSET', KEYS[1], gate .. '_until', at, gate .. '_reason', ARGV[4])
return at
