-- Note in the timeline what a turn had to leave out, unless the conversation has been forgotten meanwhile.
--
-- KEYS 1 timeline
-- ARGV 1 word  2 names of parts and reasons  3 event id
-- Returns 1, or 0 when there is no such timeline any more. A full store refuses it. Twice for one call: the second time finds its own line.

local timeline = KEYS[1]
local last = redis.call('LINDEX', timeline, -1)
if not last then return 0 end
local line = cjson.decode(last)
if line[2] == ARGV[1] and line[3] == ARGV[2] and line[4] == ARGV[3] then return 1 end
begin_only_with_room(timeline)
note(timeline, clock(), ARGV[1], ARGV[2], ARGV[3])
return 1
