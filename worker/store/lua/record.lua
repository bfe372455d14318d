-- Store the persona's reply before anything is delivered. The first stored reply wins, whoever brings it.
--
-- KEYS 1 conversation  2 journal of the head  3 agenda  4 timeline  5 channel
-- ARGV 1 conversation name  2 token  3 fence  4 reply  5 lease ms
--      6 '' = an answer of the persona | '1': a farewell, no answer | 'sealed': a farewell that says what the persona said
--      7 accepted_at of the head when its turn began  8 '1': all workers know ids of replies
-- Returns {'holder' | 'taken_over' | 'closed' | 'lost' | 'settled', the reply to deliver, its id or '' when a release
-- without ids stored it}. `holder`: the step is now "delivering", the lease is renewed, go on. `taken_over`: a person took
-- over meanwhile; `closed`: the channel's gate is closed; in both cases deliver nothing, let go of the lease.
-- A farewell counts only from the holder, and gives way to an answer as long as nothing of it can have been sent.
-- Twice for one caller: the second time finds its own reply and only renews the lease.

local conversation, journal, timeline = KEYS[1], KEYS[2], KEYS[4]
local now = clock()

local past = redis.call('HMGET', journal, 'reply', 'step', 'fate', 'reply_id', 'farewell', 'replied_at', 'sends',
  'failed')
if past[3] or not past[2] then
  return {'settled', past[1] or '', ''}
end
local reply, id = past[1], ''
if reply then
  -- A release without ids may have stored another reply since: the id tells which one it belongs to.
  local at, named = string.match(past[4] or '', '^(%d+) (.+)$')
  if at == past[6] then id = named or '' end
end
local lease = redis.call('HMGET', conversation, 'owner', 'fence', 'taken_over')
local holder = lease[1] == ARGV[2] and lease[2] == ARGV[3]

local answer, sends, wanted = ARGV[6] == '', number(past[7]), not reply
if reply and answer and past[5] and past[2] ~= 'delivering' then
  -- A farewell of which nothing can have been sent.
  local doubts = redis.call('HMGET', journal, 'send_unknowns', 'sends_vanished', 'bubbles_sent')
  wanted = not (doubts[1] or doubts[2] or doubts[3])
end
if wanted and not holder then
  -- The answer of a caller that lost its lease must belong to this event, and not to one of the same id that was
  -- forgotten.
  local accepted = redis.call('HMGET', journal, 'accepted_at', 'first_accepted_at', 'accepted_as')
  wanted = answer and is_accepted_as(ARGV[7], unpack(accepted, 1, 3))
end

-- First write: what a full store denies is done again after one that it allows.
local function first_write(...)
  if type(redis.pcall(...)) == 'table' then
    finish_even_when_full(conversation)
    redis.call(...)
  end
end

if wanted then
  -- A worker without ids that sends this reply again knows one name for it: then it has that name for all.
  reply, id = ARGV[4], ARGV[8] == '1' and ARGV[2] or ''
  first_write('HSET', journal, 'reply', reply, 'replied_at', now, unpack(id ~= '' and {'reply_id', now .. ' ' .. id} or {}))
  -- Delivering has a budget of its own.
  if past[8] then redis.call('HDEL', journal, 'failures', 'failures_ms', 'failed') end
  if past[5] then
    redis.call('HDEL', journal, 'farewell', 'sends', 'sends_handed_over')
    sends = 0
  end
  if ARGV[6] == '1' then redis.call('HSET', journal, 'farewell', 1) end
  note(timeline, now, holder and 'replied' or 'replied late')
end
if not holder then
  return {'lost', reply or '', id}
end
local lease_until = now + tonumber(ARGV[5])
first_write('HSET', conversation, 'lease_until', lease_until)
redis.call('ZADD', KEYS[3], lease_until, ARGV[1])
local delivering = past[2] == 'delivering'
if lease[3] or redis.call('HEXISTS', KEYS[5], 'channel_until') == 1 then
  -- Said "holder" to the same caller before, who did not hear it: no send came of that.
  redis.call('HSET', journal, 'step', 'replied', 'sends', sends - (delivering and 1 or 0))
  return {lease[3] and 'taken_over' or 'closed', reply, id}
end
if not delivering then redis.call('HSET', journal, 'step', 'delivering', 'sends', sends + 1) end
return {'holder', reply, id}
