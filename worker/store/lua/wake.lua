-- Make conversations of one shard due now, the longest waiting first; one that runs or is held for itself stays.
--
-- held_for: reason of a hold that ends too, or ''.
-- Returns how many were woken.

finish_even_when_full(agenda)
local now, woken = clock(), 0
for _, name in ipairs(names) do
  local id = redis.call('LINDEX', inbox_prefix .. name, 0)
  local conversation = conversation_prefix .. name
  local state = redis.call('HMGET', conversation, 'lease_until', 'hold_until', 'hold_reason', 'last_inbound',
    'inbound_seq')
  local held = number(state[2]) > now
  if id and number(state[1]) <= now and (not held or (held_for ~= '' and state[3] == held_for)) then
    local head = redis.call('HMGET', journal_prefix .. id .. ' ' .. name, 'kind', 'accepted_at', 'seq')
    redis.call('HDEL', conversation, 'rings', 'rung_at')
    if held then redis.call('HDEL', conversation, 'hold_until', 'hold_reason') end
    if lane_of(head, {state[4], state[5]}) == 'outreach' then
      make_ready(ready, agenda, name, head[2], now)
    else
      -- A time in the past is due; the time of acceptance also puts the due ones in their original order.
      redis.call('ZADD', agenda, head[2], name)
    end
    woken = woken + 1
  end
end
return woken
