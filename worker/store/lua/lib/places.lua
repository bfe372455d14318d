-- Put before the scripts that give out places for calls with a persona's key.

-- Keep the free places for the first of those who wait in line, the longest waiting first; a place that was kept and not
-- taken in time is kept for the same conversation again. Returns their names.
local function keep_places(running, line, most, now, keep_ms)
  for _, ended in ipairs(redis.call('ZRANGEBYSCORE', running, '-inf', now)) do
    local name = string.match(ended, '^for (.+)$')
    if name then redis.call('ZADD', line, 'NX', 0, name) end
    redis.call('ZREM', running, ended)
  end
  local free, names = most - redis.call('ZCARD', running), {}
  local first = free > 0 and redis.call('ZPOPMIN', line, free) or {}
  for index = 1, #first, 2 do
    redis.call('ZADD', running, now + keep_ms, 'for ' .. first[index])
    names[#names + 1] = first[index]
  end
  return names
end

-- Another process has to look when the next place ends by itself, as long as any conversation waits for one.
local function look_again(running, line, errands, persona)
  local errand, waits = 'places calls ' .. persona, redis.call('EXISTS', line) == 1
  local taken = redis.call('ZRANGE', running, 0, -1, 'WITHSCORES')
  for index = 1, #taken, 2 do
    waits = waits or string.sub(taken[index], 1, 4) == 'for '
  end
  if waits and taken[2] then
    redis.call('ZADD', errands, taken[2], errand)
  else
    redis.call('ZREM', errands, errand)
  end
end
