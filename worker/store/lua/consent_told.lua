-- What a conversation's lead has said is told to the other personas: the errand is done, unless something else was said
-- meanwhile.
--
-- said: as it was told. Returns 1 when the errand is done. Twice for one call: changes nothing the second time.

finish_even_when_full(errands)
if (redis.call('HGET', consents, name) or '') ~= said then return 0 end
redis.call('ZREM', errands, errand)
return 1
