-- Open a gate in its owner's home shard, and note that the other shards and those who wait have to follow: should this
-- process end before they did, another one goes on (errands.lua).
--
-- gates: of a persona or of a channel. finish_ms: after so long another process goes on. fields: those of the gate.
-- Returns 1. Twice for one call: the second time changes nothing.

finish_even_when_full(gates)
local now = clock()
-- Time alone opens this one.
local was_open = gate == 'hold' and number(redis.call('HGET', gates, 'hold_until')) <= now
if redis.call('HDEL', gates, unpack(fields)) > 0 and gate ~= 'channel' and not was_open then
  notice_persona(gates, owner, now, 'resumed', gate)
end
redis.call('ZREM', errands, 'probe ' .. gate .. ' ' .. owner)
redis.call('ZADD', errands, now + finish_ms, 'open ' .. gate .. ' ' .. owner)
return 1
