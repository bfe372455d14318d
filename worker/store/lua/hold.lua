-- Leave the head in place until a given time, for a stated reason, and let go of the lease.
--
-- journal: of the head. outcome: known | unknown | not asked. bubbles_sent: of the reply, surely, or ''.
-- failure: the failed attempt of this turn: "<what> <pause ms> <limit> <why>", or ''. counts_at_once: it counts against the
-- event at once. last_one_counts: the failed attempt before it counts. stop_rest: when the lead writes, the bubbles that were
-- not sent yet are withheld.
-- Returns {'held' | 'repeated' | 'lost', until, ring}; ring = 1 when the caller must ring: the lead wrote while this bubble
-- went out, so nothing is left to wait for; or a person has said something meanwhile. Twice for one caller: the second time
-- answers `repeated`.

local now = clock()

-- Of many attempts that all ended with one reason the timeline keeps the first ones and the last: its number tells how
-- many there were.
local function shorten(entries, reason)
  local last = redis.call('LRANGE', entries, -4, -1)
  if #last < 4 then return end
  local first, third, attempt = cjson.decode(last[1]), cjson.decode(last[3]), cjson.decode(last[4])[3]
  if (tonumber(attempt) or 0) <= 10 then return end
  if first[2] == 'held' and first[3] == reason and third[2] == 'held' and third[3] == reason then
    redis.call('LTRIM', entries, 0, -4)
    redis.call('RPUSH', entries, last[4])
  end
end
-- A turn that asked nothing, again for one reason, tells nothing new: of such pairs the timeline keeps the first and the last.
local function shorten_unasked(entries, reason)
  local last = redis.call('LRANGE', entries, -5, -1)
  if #last < 5 then return end
  for index = 1, 5 do last[index] = cjson.decode(last[index]) end
  for index = 1, 5, 2 do
    if last[index][2] ~= last[5][2] or last[index][3] ~= last[5][3] then return end
  end
  for index = 2, 4, 2 do
    if last[index][2] ~= 'held' or last[index][3] ~= reason then return end
  end
  redis.call('LTRIM', entries, 0, -3)
end
local state = redis.call('HMGET', conversation, 'owner', 'fence', 'held_by', 'hold_until', 'group', 'operator_words')
if state[1] ~= token or state[2] ~= fence then
  return {state[3] == token and 'repeated' or 'lost', number(state[4]), 0}
end
finish_even_when_full(conversation)
local at, ring = now + wait_ms, 0
local step = redis.call('HMGET', journal, 'step', 'reply', 'ask_unknowns', 'asks_vanished')
-- The answer can have been stored, by a worker that lost the lease before, while this turn was asking.
local sending = step[1] == 'delivering' or step[1] == 'replied'
if outcome == 'unknown' then
  redis.call('HINCRBY', journal, sending and 'send_unknowns' or 'ask_unknowns', 1)
elseif not step[2] and not step[3] and not step[4] then
  -- Surely not acted on: what came in meanwhile may join the next call. Once an outcome was unknown the group stays
  -- as it was asked, because a late reply to it can still be stored.
  redis.call('HDEL', conversation, 'group')
end
if outcome == 'not asked' and step[1] ~= 'replied' then
  -- At `replied` no send was counted.
  redis.call('HINCRBY', journal, sending and 'sends' or 'asks', -1)
end
if bubbles_sent ~= '' then
  -- The next bubble is a send of its own: its attempts, doubts and budget are counted from here.
  redis.call('HSET', journal, 'bubbles_sent', bubbles_sent)
  redis.call('HDEL', journal, 'sends', 'send_unknowns', 'sends_vanished', 'sends_handed_over', 'failures', 'failures_ms',
    'failed', 'killed_alone')
  if stop_rest and lead_interrupts(inbox, number(state[5]), journal_prefix, name) then
    at, ring = now, 1
  elseif stop_rest then
    -- A message that is accepted meanwhile rings (accept.lua).
    redis.call('HSET', conversation, 'interruptible', 1)
  end
end
if failure ~= '' then
  local function count_failure(pause_ms)
    redis.call('HINCRBY', journal, 'failures', 1)
    redis.call('HINCRBY', journal, 'failures_ms', pause_ms)
  end
  local before = last_one_counts and redis.call('HGET', journal, 'failed')
  if before then count_failure(string.match(before, '^%d+ %l+ (%d+) ')) end
  -- What counts at once is never judged again.
  if counts_at_once then count_failure(string.match(failure, '^%l+ (%d+) ')) end
  redis.call('HSET', journal, 'failed', (counts_at_once and 9999999999999 or now) .. ' ' .. failure)
end
local head = redis.call('HMGET', journal, 'kind', 'accepted_at', 'seq')
if outcome == 'not asked' and not step[2] and speaks_first(head[1]) then
  local lead_wrote = lane_of(head, redis.call('HMGET', conversation, 'last_inbound', 'inbound_seq')) == 'turns'
  -- Something came in while this turn ran: what waits in front of it only gives way, at once.
  if lead_wrote or (for_its_moment(reason) and redis.call('LLEN', inbox) > 1) then at = now end
end
redis.call('HSET', journal, 'step', step[2] and 'replied' or 'waiting')
redis.call('HSET', conversation, 'hold_until', at, 'hold_reason', reason, 'held_by', token)
redis.call('HDEL', conversation, 'owner', 'lease_until')
local due = at
-- What a person says meanwhile does not wait for what this is held for.
if state[6] and not by_operator(head[1]) and bring_forward(conversation, inbox, journal_prefix, name) then due, ring = now, 1 end
redis.call('ZADD', agenda, due + ring * grace_ms, name)
if outcome == 'not asked' then shorten_unasked(timeline, reason) else shorten(timeline, reason) end
note(timeline, now, 'held', reason, at, outcome)
redis.call('LTRIM', timeline, -timeline_entries, -1)
return {'held', at, ring}
