-- Put before the scripts that keep what was said.
--
-- transcript   LIST  "<milliseconds> <who> <event id> <messages> <content>": who = lead, persona or operator; messages = how
--                    many of the reply's were sent, or - = all of them. Only written when an operator wants it kept.
-- transcripts  ZSET  conversation -> milliseconds of the oldest line of its transcript, or sooner

local function transcript_of(key, name)
  return string.match(key, '^[^}]*}') .. ':transcript:' .. name
end

-- Returns the milliseconds of the oldest line that is left, nil = there is none.
local function end_old_lines(lines, before)
  while true do
    local oldest = redis.call('LINDEX', lines, 0)
    local at = oldest and string.match(oldest, '^%d+')
    if not at or tonumber(at) >= before then return at end
    redis.call('LPOP', lines)
  end
end

-- `kept`: "<milliseconds> <entries>", for how long and how many.
local function keep_line(key, name, kept, now, who, id, messages, content)
  local kept_ms, entries = string.match(kept, '^(%d+) (%d+)')
  local lines = transcript_of(key, name)
  local length = redis.call('RPUSH', lines, table.concat({stamp(now), who, id, messages, content}, ' '))
  if length == 1 then redis.call('ZADD', string.match(key, '^[^}]*}') .. ':transcripts', stamp(now), name) end
  if length > tonumber(entries) then redis.call('LTRIM', lines, -entries, '-1') end
  end_old_lines(lines, now - kept_ms)
  redis.call('PEXPIRE', lines, kept_ms)
end
