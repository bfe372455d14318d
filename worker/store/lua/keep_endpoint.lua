-- Store how far an endpoint is. Only who has the right to send may, and only if no operator has moved it meanwhile.
--
-- endpoint: at:<NN> (up to where the stream of each shard is done), sent, dropped, lost, failed (how many so far), since,
-- since_at, tries, not_before (how it fails), last_... (for people). refused: JSON arrays of the notices that its receiver
-- refused, the last one first. call: names this write, so that it counts once. letters: a JSON array of more of them.
-- fields: name, value ...; a value that is empty takes the field away.
-- Returns 1 when it is stored, 0 when it may not be.

finish_even_when_full(endpoint)
local known = redis.call('HMGET', endpoint, 'fence', 'revision', 'call')
if known[1] ~= fence or (known[2] or '0') ~= revision then return 0 end
if known[3] == call then return 1 end
for index = 1, #fields, 2 do
  if fields[index + 1] == '' then
    redis.call('HDEL', endpoint, fields[index])
  else
    redis.call('HSET', endpoint, fields[index], fields[index + 1])
  end
end
for name, by in pairs({sent = sent, dropped = dropped, lost = lost, failed = failed}) do
  if by > 0 then redis.call('HINCRBY', endpoint, name, by) end
end
if letters ~= '' then
  for _, letter in ipairs(cjson.decode(letters)) do redis.call('LPUSH', refused, letter) end
  redis.call('LTRIM', refused, 0, most_refused - 1)
  redis.call('PEXPIRE', refused, kept_ms)
end
redis.call('HSET', endpoint, 'call', call)
return 1
