-- Put before the scripts that list conversations. They have the keys of a shard by their usual names.

-- Names of the conversations that have dead letters, as keys of a table.
local function names_of_dead(dead)
  local names = {}
  for _, letter in ipairs(redis.call('ZRANGE', dead, 0, -1)) do
    local name = string.match(letter, '^%S+ (.*)$')
    if name then names[name] = true end
  end
  return names
end

-- A function that says whether a conversation is in a state (worker/store/views/known_conversations.py).
local function look_of(now, dead)
  local tag, dead_names, paused = string.match(dead, '^[^}]*}:'), nil, {}
  local function waits(name)
    return redis.call('EXISTS', tag .. 'inbox:' .. name) == 1
  end
  local function is_paused(persona)
    if paused[persona] == nil then paused[persona] = redis.call('HEXISTS', tag .. 'persona:' .. persona, 'paused') == 1 end
    return paused[persona]
  end
  return function(state, name)
    local key = tag .. 'conversation:' .. name
    if state == 'waiting' then return waits(name) end
    if state == 'held' then return number(redis.call('HGET', key, 'hold_until')) > now and waits(name) end
    if state == 'running' then return number(redis.call('HGET', key, 'lease_until')) > now end
    if state == 'paused' then return is_paused(string.match(name, '^[^:]*')) and waits(name) end
    if state == 'opted_out' then return string.sub(redis.call('HGET', tag .. 'consents', name) or '', 1, 4) == 'out ' end
    if state == 'dead' then
      dead_names = dead_names or names_of_dead(dead)
      return dead_names[name] ~= nil
    end
    return redis.call('HEXISTS', key, state) == 1
  end
end
