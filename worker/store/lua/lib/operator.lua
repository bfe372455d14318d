-- Put before the scripts that let go first what a person says in the persona's place.
--
-- Such an event goes before all that waits, also while the person has the conversation. The field `operator_words` of a
-- conversation says that there may be one. The events behind it that were asked together stay together: the field
-- `group_aside` has their number as long as such an event is in front of them.

-- Put the first of them at the head. Nothing may be at work on the head now. Returns whether one is there.
local function bring_forward(conversation, inbox, journal_prefix, name)
  for place, id in ipairs(redis.call('LRANGE', inbox, 0, -1)) do
    if by_operator(redis.call('HGET', journal_prefix .. id .. ' ' .. name, 'kind')) then
      if place > 1 then
        redis.call('LREM', inbox, 1, id)
        redis.call('LPUSH', inbox, id)
        local group = redis.call('HGET', conversation, 'group')
        if group then redis.call('HSET', conversation, 'group_aside', group) end
        -- What the head is held for is not what this waits for.
        redis.call('HDEL', conversation, 'group', 'hold_until', 'hold_reason', 'interruptible')
      end
      return true
    end
  end
  redis.call('HDEL', conversation, 'operator_words')
  return false
end
