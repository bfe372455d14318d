-- Note in the timeline what a turn had to leave out, unless the conversation has been forgotten meanwhile.
--
-- what: names of parts and reasons.
-- Returns 1, or 0 when there is no such timeline any more. A full store refuses it. Twice for one call: the second time finds its own line.

local last = redis.call('LINDEX', timeline, -1)
if not last then return 0 end
local line = cjson.decode(last)
if line[2] == word and line[3] == what and line[4] == event_id then return 1 end
begin_only_with_room(timeline)
note(timeline, clock(), word, what, event_id)
return 1
