-- Find the newest conversations of one shard that match. Changes nothing.
--
-- persona: only of this one, or ''. states: only those that are in all of these, a space around each, or ''. texts: spellings of
-- a part of the handle, or none. most: so many at most. scanned: so many names of the index are looked at in one call.
-- last_at, last_name: only those behind this one; last_at '' = from the newest on.
-- Returns {name and milliseconds behind which it is to be continued, '' = that was all; then for each conversation its name and the
-- milliseconds of its last event (0 = it is not in the index)}.


-- As the server sorts names: by their bytes.
local function is_before(a, b)
  local at = 1
  while true do
    local left, right = string.byte(a, at), string.byte(b, at)
    if left ~= right then return (left or -1) < (right or -1) end
    if not left then return false end
    at = at + 1
  end
end

local look = look_of(clock(), dead)

local function is_in_all(name)
  for state in string.gmatch(states, '%l[%l_]*') do
    if not look(state, name) then return false end
  end
  return true
end

local function has_text(name)
  if #texts == 0 then return true end
  local lower, from = string.lower(name), string.find(name, ':', 1, true) + 1
  for _, text in ipairs(texts) do
    if string.find(lower, text, from, true) or string.find(name, text, from, true) then return true end
  end
  return false
end

local function matches(name)
  return has_text(name) and (persona == '' or string.sub(name, 1, #persona + 1) == persona .. ':') and is_in_all(name)
end

-- By the index, from the newest on.
local function scan()
  local answer, seen = {'', ''}, 0
  -- Returns whether it has seen enough.
  local function take(name, at)
    seen = seen + 1
    local fits = matches(name)
    if fits then
      at = at or redis.call('ZSCORE', conversations, name)
      answer[#answer + 1] = name
      answer[#answer + 1] = at
    end
    if seen < scanned and #answer < 2 * most + 2 then return false end
    answer[1], answer[2] = name, at or redis.call('ZSCORE', conversations, name)
    return true
  end

  local from = '+inf'
  if last_at ~= '' then
    for _, name in ipairs(redis.call('ZREVRANGEBYSCORE', conversations, last_at, last_at)) do
      if is_before(name, last_name) and take(name, last_at) then return answer end
    end
    from = '(' .. last_at
  end
  local skipped, at_once = 0, (#texts > 0 or persona ~= '') and scanned or most
  while true do
    local found = redis.call('ZREVRANGEBYSCORE', conversations, from, '-inf', 'LIMIT', skipped, at_once)
    for _, name in ipairs(found) do
      if take(name) then return answer end
    end
    if #found < at_once then return answer end
    skipped = skipped + at_once
  end
end

-- By the index of a state, the smallest one that has all of them.
local function candidates()
  local function wants(state)
    return string.find(states, ' ' .. state .. ' ', 1, true) ~= nil
  end
  if wants('taken_over') then return redis.call('HKEYS', taken_over) end
  if wants('dead') then
    local names = {}
    for name in pairs(names_of_dead(dead)) do names[#names + 1] = name end
    return names
  end
  if wants('waiting') or wants('held') or wants('running') or wants('paused') then
    return redis.call('ZRANGE', agenda, 0, -1)
  end
  return redis.call('HKEYS', wants('sealed') and sealed or consents)
end

-- Times from the latest to the earliest, and the names of each.
local function in_time()
  local names, times, by_time = candidates(), {}, {}
  for start = 1, #names, 500 do
    local last = math.min(start + 499, #names)
    for index, score in ipairs(redis.call('ZMSCORE', conversations, unpack(names, start, last))) do
      local at = number(score)
      if not by_time[at] then
        by_time[at] = {}
        times[#times + 1] = at
      end
      table.insert(by_time[at], names[start + index - 1])
    end
  end
  -- To sort numbers costs little, to sort by a function does not.
  table.sort(times)
  return times, by_time
end

local function pick()
  local answer, limit, times, by_time = {'', ''}, tonumber(last_at), in_time()
  for index = #times, 1, -1 do
    local at, names = times[index], by_time[times[index]]
    if not limit or at <= limit then
      table.sort(names, function(a, b) return is_before(b, a) end)
      for _, name in ipairs(names) do
        if (at ~= limit or is_before(name, last_name)) and matches(name) then
          answer[#answer + 1] = name
          answer[#answer + 1] = stamp(at)
          if #answer == 2 * most + 2 then
            answer[1], answer[2] = name, stamp(at)
            return answer
          end
        end
      end
    end
  end
  return answer
end

return states == '' and scan() or pick()
