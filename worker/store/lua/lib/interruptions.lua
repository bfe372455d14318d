-- Put before the scripts that cut a paced reply short when the lead writes.

-- Whether the lead wrote after what this reply answers, the first `group` events of the inbox: then a message of the lead
-- waits behind them. Further images of what it answers are no new message, and neither is what an operator has replayed.
local function lead_interrupts(inbox, group, journal_prefix, name)
  local all = redis.call('LRANGE', inbox, 0, -1)
  local answered = all[group]
  if not answered or #all == group then return false end
  local function read(id)
    return redis.call('HMGET', journal_prefix .. id .. ' ' .. name, 'kind', 'accepted_at', 'derived_from', 'seq')
  end
  local last = read(answered)
  local message = message_of(answered, last) or answered
  for place = group + 1, #all do
    local other = read(all[place])
    local newer = number(other[2]) >= number(last[2])
    if other[4] and last[4] then newer = number(other[4]) > number(last[4]) end
    if other[1] == 'inbound_chat' and newer and message_of(all[place], other) ~= message then return true end
  end
  return false
end
