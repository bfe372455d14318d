-- The call to the persona is made now: until here the turn has asked nothing.
--
-- journal: of the head. silence, only_opted_in: the persona's rules about consent (lib/consent.lua).
-- Returns 'asking'; or 'lost' (the lease, or what was to be asked: its answer is stored), 'opted_out', 'not_opted_in' (the
-- lead does not want it): make no call then.
-- Twice for one call: changes nothing the second time.

local lease = redis.call('HMGET', conversation, 'owner', 'fence', 'consent')
if lease[1] ~= token or lease[2] ~= fence then return 'lost' end
-- A worker that lost the lease before may have brought the answer since this turn began.
if redis.call('HEXISTS', journal, 'reply') == 1 then return 'lost' end
if lease[3] or only_opted_in then
  local head = redis.call('HMGET', journal, 'kind', 'said')
  local unwanted = unwanted_because(lease[3], head[1], head[2], silence, only_opted_in)
  if unwanted then return unwanted end
end
finish_even_when_full(conversation)
redis.call('HSET', journal, 'step', 'asking')
return 'asking'
