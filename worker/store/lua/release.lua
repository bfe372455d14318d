-- A call with a persona's key has ended, or a place has ended by itself: keep it for the next in line.
--
-- token: of the call, or ''. most: calls at once. keep_ms: for so long a place is kept for a conversation.
-- Returns the names of conversations for which a place is kept now: wake them. Twice for one call: no name comes twice.

finish_even_when_full(running)
redis.call('ZREM', running, token)
local kept = keep_places(running, line, most, clock(), keep_ms)
look_again(running, line, errands, persona)
return kept
