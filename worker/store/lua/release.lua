-- A call with a persona's key has ended, or a place has ended by itself: keep it for the next in line.
--
-- KEYS 1 running  2 line  3 errands
-- ARGV 1 token, or ''  2 most calls at once  3 ms for which a place is kept for a conversation  4 persona
-- Returns the names of conversations for which a place is kept now: wake them. Twice for one call: no name comes twice.

finish_even_when_full(KEYS[1])
redis.call('ZREM', KEYS[1], ARGV[1])
local kept = keep_places(KEYS[1], KEYS[2], tonumber(ARGV[2]), clock(), tonumber(ARGV[3]))
look_again(KEYS[1], KEYS[2], KEYS[3], ARGV[4])
return kept
