-- Take a lead's name out of what operators did. That they did it stays.
--
-- personas: those whose acts are meant.
-- Returns how many acts named the lead. Twice for one call: the second time finds none.

local wanted, found = {}, 0
for _, persona in ipairs(personas) do wanted[persona] = true end
finish_even_when_full(audit)
for place, line in ipairs(redis.call('LRANGE', audit, 0, -1)) do
  local at, text = string.match(line, '^(%d+) (.*)$')
  local act = cjson.decode(text)
  if act.target == target and wanted[act.persona] then
    act.target, act.detail, act.erased = nil, nil, true
    redis.call('LSET', audit, place - 1, at .. ' ' .. cjson.encode(act))
    found = found + 1
  end
end
return found
