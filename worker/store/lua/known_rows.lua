-- What lists show of conversations of one shard. Changes nothing.
--
-- names: of the conversations.
-- Returns for each {events that wait, hold_until, hold_reason, state, state, ...}.

local look, rows = look_of(clock(), dead), {}
for index, name in ipairs(names) do
  local hold = redis.call('HMGET', conversation_prefix .. name, 'hold_until', 'hold_reason')
  local row = {redis.call('LLEN', inbox_prefix .. name), hold[1] or '0', hold[2] or ''}
  for state in string.gmatch(states, '%l[%l_]*') do
    if look(state, name) then row[#row + 1] = state end
  end
  rows[index] = row
end
return rows
