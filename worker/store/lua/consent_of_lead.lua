-- Write what a lead has said for all personas, in the lead's own shard. The latest of several counts.
--
-- target: the lead's handle. erased: the same as a keyed hash, or ''. state: out | in | none. at: milliseconds when it was
-- said, or '' = now. by: who said it. call: names the act and no other, or ''.
-- Returns 'done' | 'nothing' (something later was said, or it is so already). Twice for one call: the second time changes
-- nothing, and with a `call` it answers the same.

if call ~= '' and rare.done_before(consents_of_leads, 'consent', call, target) then
  -- Who was forgotten meanwhile is not named again.
  return (state == 'none' or redis.call('HEXISTS', consents_of_leads, target) == 1) and 'done' or 'nothing'
end
finish_even_when_full(consents_of_leads)
local kept = redis.call('HGET', consents_of_leads, target)
local counted = string.match(kept or '', '^%l+')
if not kept and erased ~= '' then kept = redis.call('HGET', erased_consents, erased) end
local past, past_at = string.match(kept or '', '^(%l+) (%d+) ')
if (past or 'none') == state and at == '' then return 'nothing' end
if at == '' then at = string.format('%.0f', math.max(clock(), number(past_at) + 1)) end
if number(past_at) >= tonumber(at) then return 'nothing' end
if erased ~= '' then redis.call('HDEL', erased_consents, erased) end
count_out(opted_out, '*', counted, state)
if state == 'none' then
  redis.call('HDEL', consents_of_leads, target)
else
  redis.call('HSET', consents_of_leads, target, state .. ' ' .. at .. ' ' .. by)
end
if call ~= '' then rare.remember_done(consents_of_leads, 'consent', call, target, 1) end
return 'done'
