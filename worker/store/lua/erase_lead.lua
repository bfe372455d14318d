-- What a lead has said for all personas is kept without the name.
--
-- target: the lead's handle. erased: the same as a keyed hash, or '' = it is not kept.
-- Returns 1 when there was something. Twice for one call: the second time finds nothing, and changes nothing.

finish_even_when_full(consents_of_leads)
local kept = redis.call('HGET', consents_of_leads, target)
if kept and erased ~= '' then
  redis.call('HSET', erased_consents, erased, string.match(kept, '^%l+ %d+ ') .. 'erased')
end
count_out(opted_out, '*', string.match(kept or '', '^%l+'), nil)
return redis.call('HDEL', consents_of_leads, target)
