-- Erase all that is stored of one conversation in its shard. What waits gets its fate first, so the books stay true.
--
-- queue, parked: of the persona. reason: for what waits. erased_name: the conversation's name as a keyed hash, under which what
-- the lead has said about messages is kept, or '' = it is not kept. call: names the act and no other, or ''. events: ids of
-- journals that were found.
-- Returns {'forgotten' | 'busy' (a turn runs, nothing was changed), events that waited, journals erased, 1 = what is
-- elsewhere is to be erased, too}.
-- Twice for one call: the second time finds nothing, and changes nothing; with a `call` it answers the same.

local before = call ~= '' and rare.done_before(conversation, 'forget', call, name)
if before then
  local waited, journals = string.match(before, '^(%d+) (%d+)$')
  local unfinished = redis.call('HEXISTS', rare.done_key(conversation, 'forget', call, name), 'unfinished')
  return {'forgotten', tonumber(waited), tonumber(journals), unfinished}
end
local now = clock()
if number(redis.call('HGET', conversation, 'lease_until')) > now then return {'busy', 0, 0, 0} end

finish_even_when_full(conversation)
nameless_notices = true
local waiting, ids = redis.call('LRANGE', inbox, 0, -1), {}
for _, id in ipairs(waiting) do
  end_event(journal_prefix .. id .. ' ' .. name, books, name, 'skipped', reason, now, 1000)
  ids[id] = true
end
for _, id in ipairs(events) do ids[id] = true end
local erased = 0
for id in pairs(ids) do
  erased = erased + redis.call('DEL', journal_prefix .. id .. ' ' .. name)
  redis.call('ZREM', dead, id .. ' ' .. name)
end
local all_refused, own_refused = refused_indexes(journal_prefix, name)
for _, id in ipairs(redis.call('ZRANGE', own_refused, 0, -1)) do
  redis.call('ZREM', all_refused, id .. ' ' .. name)
  redis.call('ZREM', dead, id .. ' ' .. name)
end
end_sequence(conversation, name, now)
end_fences(conversation)
redis.call('DEL', conversation, inbox, timeline, own_refused, transcript_of(conversation, name))
redis.call('ZREM', string.match(conversation, '^[^}]*}') .. ':transcripts', name)
redis.call('ZREM', agenda, name)
redis.call('ZREM', follow_ups, name)
for _, index in ipairs({ready, queue, parked, rung, conversations}) do redis.call('ZREM', index, name) end
redis.call('HDEL', sealed, name)
redis.call('HDEL', taken_over, name)
-- What the lead has said about messages is kept without the name.
local kept = redis.call('HGET', consents, name)
if kept and erased_name ~= '' then
  redis.call('HSET', erased_consents, erased_name, string.match(kept, '^%l+ %d+ ') .. 'erased')
end
count_out(opted_out, name, string.match(kept or '', '^%l+'), nil)
redis.call('HDEL', consents, name)
redis.call('ZREM', errands, 'consent lead ' .. name)
if call ~= '' then
  local done = rare.remember_done(conversation, 'forget', call, name, #waiting .. ' ' .. erased)
  redis.call('HSET', done, 'unfinished', 1)
end
return {'forgotten', #waiting, erased, 1}
