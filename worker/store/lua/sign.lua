-- Sign that somebody is there, and forget who has not been for long.
--
-- signs: members -> milliseconds until when each is taken to be there. ends_at: that of these members.
-- forgotten: what ended before this goes. latest: what ends later than this goes, too; '' = nothing does.

-- First write: it frees memory, so a full store lets the others follow.
redis.call('ZREMRANGEBYSCORE', signs, '-inf', forgotten)
if latest ~= '' then redis.call('ZREMRANGEBYSCORE', signs, '(' .. latest, '+inf') end
for _, member in ipairs(members) do redis.call('ZADD', signs, ends_at, member) end
