-- A place is kept for a conversation that waits in line: end its hold.
--
-- KEYS 1 conversation  2 inbox  3 agenda  4 journal prefix
-- ARGV 1 conversation name  2 reason of the hold  3 grace ms
-- Returns the lane to ring in, 'busy' when a turn has it (whose hold will find the place), or 'elsewhere' when it waits for
-- something else. Twice for one call: the second time changes nothing.

local now = clock()
local id = redis.call('LINDEX', KEYS[2], 0)
local state = redis.call('HMGET', KEYS[1], 'hold_until', 'hold_reason', 'last_inbound', 'lease_until', 'inbound_seq')
if id and number(state[4]) > now then return 'busy' end
if not id or number(state[1]) <= now or state[2] ~= ARGV[2] then return 'elsewhere' end
finish_even_when_full(KEYS[1])
redis.call('HDEL', KEYS[1], 'hold_until', 'hold_reason', 'rings')
redis.call('ZADD', KEYS[3], now + tonumber(ARGV[3]), ARGV[1])
local head = redis.call('HMGET', KEYS[4] .. id .. ' ' .. ARGV[1], 'kind', 'accepted_at', 'seq')
return lane_of(head, {state[3], state[5]})
