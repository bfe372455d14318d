-- Store the persona's reply before anything is delivered. The first stored reply wins, whoever brings it.
--
-- journal: of the head. farewell: '' = an answer of the persona | '1' = a farewell, no answer | 'sealed' = a farewell that
-- says what the persona said. accepted_at: of the head when its turn began. ids_known: all workers know ids of replies.
-- silence, only_opted_in: the persona's rules about consent (lib/consent.lua).
-- Returns {'holder' | 'taken_over' | 'closed' | 'opted_out' | 'not_opted_in' | 'lost' | 'settled', the reply to deliver, its id or '' when a release
-- without ids stored it}. `holder`: the step is now "delivering", the lease is renewed, go on. `taken_over`: a person took
-- over meanwhile; `closed`: the channel's gate is closed; in both cases deliver nothing, let go of the lease. `opted_out`, `not_opted_in`: the
-- lead does not want it: deliver nothing, end the turn.
-- A farewell counts only from the holder, and gives way to an answer as long as nothing of it can have been sent.
-- Twice for one caller: the second time finds its own reply and only renews the lease. A caller that is told `holder` and does
-- not hear it, and then hears something else, has sent nothing (hold.lua).

local now = clock()

local reply, step, ended, was_farewell, sends, failed =
  unpack(redis.call('HMGET', journal, 'reply', 'step', 'fate', 'farewell', 'sends', 'failed'))
if ended or not step then
  return {'settled', reply or '', ''}
end
local id = ''
if reply then
  -- A release without ids may have stored another reply since: the id tells which one it belongs to.
  local stored = redis.call('HMGET', journal, 'reply_id', 'replied_at')
  local at, named = string.match(stored[1] or '', '^(%d+) (.+)$')
  if at == stored[2] then id = named or '' end
end
local owner, owner_fence, taken_over, consent =
  unpack(redis.call('HMGET', conversation, 'owner', 'fence', 'taken_over', 'consent'))
local holder = owner == token and owner_fence == fence

local answer, wanted = farewell == '', not reply
sends = tonumber(sends) or 0
if reply and answer and was_farewell and step ~= 'delivering' then
  -- A farewell of which nothing can have been sent.
  local doubts = redis.call('HMGET', journal, 'send_unknowns', 'sends_vanished', 'bubbles_sent')
  wanted = not (doubts[1] or doubts[2] or doubts[3])
end
if wanted and not holder then
  -- The answer of a caller that lost its lease must belong to this event, and not to one of the same id that was
  -- forgotten.
  local accepted = redis.call('HMGET', journal, 'accepted_at', 'first_accepted_at', 'accepted_as')
  wanted = answer and rare.is_accepted_as(accepted_at, unpack(accepted, 1, 3))
end

-- Why nothing may be delivered, if so.
local kept_back
if holder then
  if consent or only_opted_in then
    local head = redis.call('HMGET', journal, 'kind', 'said')
    kept_back = rare.unwanted_because(consent, head[1], head[2], silence, only_opted_in)
  end
  kept_back = kept_back or taken_over and 'taken_over'
    or redis.call('HEXISTS', channel, 'channel_until') == 1 and 'closed'
    -- What this caller was told before still holds: it may have heard it, and deliver nothing.
    or step == 'replied' and id == token and 'taken_over' or nil
end

-- First write: what a full store denies is done again after one that it allows.
local function first_write(...)
  if type(redis.pcall(...)) == 'table' then
    rare.finish_even_when_full(conversation)
    redis.call(...)
  end
end

-- Of the head, what is written at once.
local learned = {}
if wanted then
  -- A worker without ids that sends this reply again knows one name for it: then it has that name for all.
  reply, id = own_reply, ids_known and token or ''
  local at = stamp(now)
  learned = {'reply', reply, 'replied_at', at}
  if id ~= '' then learned[5], learned[6] = 'reply_id', at .. ' ' .. id end
  -- Delivering has a budget of its own.
  if failed then first_write('HDEL', journal, 'failures', 'failures_ms', 'failed') end
  if was_farewell then
    first_write('HDEL', journal, 'farewell', 'sends', 'sends_handed_over')
    sends = 0
  end
  if farewell == '1' then learned[#learned + 1], learned[#learned + 2] = 'farewell', '1' end
end
-- A delivery that may have begun stays noted: this can be a late copy of a call that was answered "holder" and heard.
if holder and step ~= 'delivering' then
  learned[#learned + 1], learned[#learned + 2] = 'step', kept_back and 'replied' or 'delivering'
  if not kept_back then learned[#learned + 1], learned[#learned + 2] = 'sends', sends + 1 end
end
if learned[1] then first_write('HSET', journal, unpack(learned)) end
if wanted then note_json(timeline, stamp(now) .. (holder and ',"replied"' or ',"replied late"')) end
if not holder then
  return {'lost', reply or '', id}
end
local lease_until = stamp(now + lease_ms)
first_write('HSET', conversation, 'lease_until', lease_until)
redis.call('ZADD', agenda, lease_until, name)
return {kept_back or 'holder', reply, id}
