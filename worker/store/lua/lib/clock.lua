-- Put behind the prelude of all scripts but accept, record, renew and settle: the clock, and what is done when it has
-- stepped back. Those four are all but one of the scripts of each turn; what they write is right by the clock as it is,
-- and what they read of times can only make them ring late, for which the agenda is there.
--
-- Stored times are moments of this clock. When it is set back (a correction of the host's clock, a restored machine, a
-- fail-over to a server whose clock is behind), all that was stored before lies too far ahead: a lease would last longer
-- than its time, what is held would wait longer. So each shard keeps the latest time that a script has seen. The first
-- script that finds the clock behind it moves what is stored by the difference, and only then does its own work: a script
-- asks for the clock before it reads any time, so none works with a time from before the step. docs/decisions/0010 lists
-- every stored time and what becomes of it.
--
-- Before it stand LEASE_MS, PERSONAS and CHANNEL: the longest lease, all personas of this process (a space between
-- them) and where it delivers. What is done when the clock has stepped is in lib/clock_steps.lua.

-- It is written when it is behind by more than this: what is lost of a step, and what a step back must exceed.
local SEEN_MS, STEP_MS = 2000, 1000

-- What `clock` has answered in this run; whether this script stores times (one that only looks says no).
local unmended, read_at, stores = clock, nil, true

clock = function()
  if read_at then return read_at end
  read_at = unmended()
  -- "parley:{NN}:"
  local tag = string.sub(KEYS[1], 1, 12)
  local kept = tonumber(redis.call('GET', tag .. 'clock'))
  if not kept or kept > read_at + STEP_MS or kept < read_at - SEEN_MS then
    rare.mend_step(tag, kept, read_at, stores)
  end
  return read_at
end
