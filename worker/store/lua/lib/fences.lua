-- Put before the scripts that begin a conversation or forget one: the fences of what begins again after it was forgotten go on
-- above those of before. So a call of a turn that ended before, and comes late, is none of the turn that runs.
--
-- fence  TEXT  the highest fence of the conversations of the shard that were forgotten within the last day

local function fence_key(conversation)
  return string.match(conversation, '^[^}]*}') .. ':fence'
end

local function fence_of_forgotten(conversation)
  return redis.call('GET', fence_key(conversation))
end

local function end_fences(conversation)
  local last = number(redis.call('HGET', conversation, 'fence'))
  if last == 0 then return end
  local highest = math.max(last, number(fence_of_forgotten(conversation)))
  redis.call('SET', fence_key(conversation), stamp(highest), 'PX', '86400000')
end
