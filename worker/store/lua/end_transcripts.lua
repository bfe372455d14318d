-- Delete the lines of a shard's transcripts that are older than they may be.
--
-- kept_ms: for so long they are kept. most: at most so many transcripts.
-- Returns how many were looked at. Twice for one call: the second time finds none.

finish_even_when_full(transcripts)
local before = clock() - kept_ms
local found = redis.call('ZRANGEBYSCORE', transcripts, '-inf', '(' .. stamp(before), 'LIMIT', 0, most)
for _, name in ipairs(found) do
  local oldest = end_old_lines(transcript_of(transcripts, name), before)
  if oldest then
    redis.call('ZADD', transcripts, oldest, name)
  else
    redis.call('ZREM', transcripts, name)
  end
end
return #found
