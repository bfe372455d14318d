-- Make conversations of one shard due now, the longest waiting first; one that runs or is held for itself stays.
--
-- KEYS 1 agenda  2 conversation prefix  3 inbox prefix  4 journal prefix  5 ready
-- ARGV 1 reason of a hold that ends too, or ''  2.. conversation names
-- Returns how many were woken.

finish_even_when_full(KEYS[1])
local now, woken = clock(), 0
for index = 2, #ARGV do
  local name = ARGV[index]
  local id = redis.call('LINDEX', KEYS[3] .. name, 0)
  local conversation = KEYS[2] .. name
  local state = redis.call('HMGET', conversation, 'lease_until', 'hold_until', 'hold_reason', 'last_inbound',
    'inbound_seq')
  local held = number(state[2]) > now
  if id and number(state[1]) <= now and (not held or (ARGV[1] ~= '' and state[3] == ARGV[1])) then
    local head = redis.call('HMGET', KEYS[4] .. id .. ' ' .. name, 'kind', 'accepted_at', 'seq')
    redis.call('HDEL', conversation, 'rings', 'rung_at')
    if held then redis.call('HDEL', conversation, 'hold_until', 'hold_reason') end
    if lane_of(head, {state[4], state[5]}) == 'outreach' then
      make_ready(KEYS[5], KEYS[1], name, head[2], now)
    else
      -- A time in the past is due; the time of acceptance also puts the due ones in their original order.
      redis.call('ZADD', KEYS[1], head[2], name)
    end
    woken = woken + 1
  end
end
return woken
