-- A place is kept for a conversation that waits in line: end its hold.
--
-- reason: of the hold.
-- Returns the lane to ring in, 'busy' when a turn has it (whose hold will find the place), or 'elsewhere' when it waits for
-- something else. Twice for one call: the second time changes nothing.

local now = clock()
local id = redis.call('LINDEX', inbox, 0)
local state = redis.call('HMGET', conversation, 'hold_until', 'hold_reason', 'last_inbound', 'lease_until', 'inbound_seq')
if id and number(state[4]) > now then return 'busy' end
if not id or number(state[1]) <= now or state[2] ~= reason then return 'elsewhere' end
finish_even_when_full(conversation)
redis.call('HDEL', conversation, 'hold_until', 'hold_reason', 'rings')
redis.call('ZADD', agenda, now + grace_ms, name)
local head = redis.call('HMGET', journal_prefix .. id .. ' ' .. name, 'kind', 'accepted_at', 'seq')
return lane_of(head, {state[3], state[5]})
