-- Put before the scripts that keep what was said.
--
-- transcript   LIST  "<milliseconds> <who> <event id> <messages> <content>": who = lead, persona or operator; messages = how
--                    many of the reply's were sent, or - = all of them. Only written when an operator wants it kept.

local function transcript_of(key, name)
  return string.match(key, '^[^}]*}') .. ':transcript:' .. name
end

-- `kept`: "<milliseconds> <entries>", for how long and how many.
local function keep_line(key, name, kept, now, who, id, messages, content)
  local kept_ms, entries = string.match(kept, '^(%d+) (%d+)')
  local lines = transcript_of(key, name)
  local length = redis.call('RPUSH', lines, table.concat({stamp(now), who, id, messages, content}, ' '))
  if length > tonumber(entries) then redis.call('LTRIM', lines, -entries, '-1') end
  -- The oldest ends with the next line after its time; all end when nothing was said for so long.
  local oldest = redis.call('LINDEX', lines, 0)
  while oldest and number(string.match(oldest, '^%d+')) < now - kept_ms do
    redis.call('LPOP', lines)
    oldest = redis.call('LINDEX', lines, 0)
  end
  redis.call('PEXPIRE', lines, kept_ms)
end
