-- The counters of one shard and, counted at the same moment, what waits for each persona.
--
-- Returns {counter field, count, ...}, {persona, waiting, ...}

local waiting, answer = {}, {}
for _, name in ipairs(redis.call('ZRANGE', agenda, 0, -1)) do
  local persona = string.match(name, '^[^:]*')
  waiting[persona] = (waiting[persona] or 0) + redis.call('LLEN', inbox_prefix .. name)
end
for persona, events in pairs(waiting) do
  answer[#answer + 1] = persona
  answer[#answer + 1] = events
end
return {redis.call('HGETALL', books), answer}
