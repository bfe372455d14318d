-- Take the lease of a conversation and read what its turn needs; or say why not now.
--
-- KEYS 1 conversation  2 inbox  3 agenda  4 timeline  5 persona  6 journal prefix
-- ARGV 1 conversation name  2 token  3 lease ms  4 settle ms  5 settle limit ms  6 largest group  7 largest characters
--      8 the gate that this call probes, or ''  9 jitter 0..999  10 ms after which a quiet takeover ends by itself, or 0
-- Returns {'granted', now, fence, conversation fields, {id, journal fields} ...}, where the field gives_way says that the
--          head ends without a call: outreach is stopped, and something that happened on the platform waits behind it
--      or {'empty' | 'busy' | 'taken_over' | 'quiet' | 'held' | 'paused' | 'quarantined' | 'outreach' | 'probe', until,
--          reason}
--      or {'hand_back', until, reason}: the takeover was quiet for long enough; hand back, then begin again.
-- Twice with the same token: the second time returns the same grant and counts nothing again; once the turn has ended it
-- grants nothing.

local conversation, inbox, agenda, timeline, persona, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local name, token = ARGV[1], ARGV[2]
local now = clock()

-- First write of each way through, here and where the lease is taken: a full store denies it.
local function later(status, at, reason)
  redis.call('ZADD', agenda, at, name)
  redis.call('HDEL', conversation, 'rings')
  return {status, at, reason or ''}
end

local function journal_of(id)
  return prefix .. id .. ' ' .. name
end

local ids = redis.call('LRANGE', inbox, 0, tonumber(ARGV[6]) - 1)
if #ids == 0 then
  redis.call('ZREM', agenda, name)
  return {'empty', 0, ''}
end

local state = redis.call('HMGET', conversation,
  'owner', 'lease_until', 'hold_until', 'hold_reason', 'group', 'started', 'fence',
  'taken_over', 'taken_over_at', 'last_inbound', 'settled_by', 'held_by', 'awaited')
local owner, group = state[1], number(state[5])
-- A reply that is already stored costs no call: the persona's gates do not keep it from the lead.
local unanswered = redis.call('HEXISTS', journal_of(ids[1]), 'reply') == 0

-- Why outreach is stopped, if the head is outreach and not answered.
local function stopped_by()
  local reason = unanswered and redis.call('HGET', persona, 'outreach')
  if not reason then return nil end
  local head = redis.call('HMGET', journal_of(ids[1]), 'kind', 'accepted_at')
  return lane_of(head[1], head[2], state[10]) == 'outreach' and reason or nil
end

local function platform_event_waits()
  for _, id in ipairs(redis.call('LRANGE', inbox, 1, 9)) do
    if redis.call('HGET', journal_of(id), 'kind') == 'event_trigger' then return true end
  end
  return false
end

local stopped = stopped_by()
local gives_way = stopped and platform_event_waits()
local repeated = owner == token
if token == state[11] or token == state[12] then
  -- Its turn has ended: this call was on its way for so long that its own repetition came before it.
  return {'busy', now, ''}
end

if not repeated then
  if owner and number(state[2]) > now then
    return {'busy', number(state[2]), ''}
  end
  local late, spare = now - number(state[2]), math.max(2000, math.floor(tonumber(ARGV[3]) / 2))
  if owner and late > spare and late < 300000 and state[13] ~= state[7] then
    -- The lease ran out a while ago and nobody has begun since: the store was away or refused to write, or all workers
    -- were away. A holder that lives may have its answer in hand, at most for some minutes; it renews as soon as it can,
    -- and comes first. It is waited for once.
    redis.call('HSET', conversation, 'lease_until', now + spare, 'awaited', state[7])
    return later('busy', now + spare)
  end
  if state[8] then
    -- A person has the conversation: not even a reply that is stored goes out.
    local first = number(redis.call('HGET', journal_of(ids[1]), 'accepted_at'))
    local ends = takeover_end(number(state[9]), number(state[10]), first, tonumber(ARGV[10]))
    if ends and ends <= now then return later('hand_back', now + tonumber(ARGV[3]), state[8]) end
    local far = now + 3600000 + number(ARGV[9])
    return later('taken_over', math.min(far, ends or far), state[8])
  end
  if number(state[3]) > now then
    return later('held', number(state[3]), state[4] or '')
  end
  if unanswered then
    local gates = redis.call('HMGET', persona, 'paused', 'quarantined', 'hold_until', 'hold_reason',
      'circuit_until', 'circuit_interval', 'credits_until', 'credits_interval')
    local far = now + 3600000 + number(ARGV[9])
    if gates[1] then return later('paused', far, gates[1]) end
    if gates[2] then return later('quarantined', far, gates[2]) end
    if number(gates[3]) > now then return later('held', number(gates[3]) + number(ARGV[9]) / 4, gates[4] or '') end
    if stopped and not gives_way then return later('outreach', far, stopped) end
    -- The probe of the circuit needs no other right: were all who wait new to the persona, nobody could ever make it.
    local needs_credits = not state[6] and ARGV[8] ~= 'circuit'
    for _, gate in ipairs({{'circuit', gates[5], gates[6], true}, {'credits', gates[7], gates[8], needs_credits}}) do
      if gate[2] and gate[4] and ARGV[8] ~= gate[1] then
        if number(gate[2]) > now then return later('held', number(gate[2]) + number(ARGV[9]), gate[1]) end
        -- Due for a probe: the caller asks for the right to probe; whoever has it comes back with the gate's name.
        return later('probe', now + number(gate[3]) + number(ARGV[9]), gate[1])
      end
    end
  end
end

local journals = {}
if group == 0 then
  -- Not asked yet: consecutive messages join, an image closes the group, another kind ends it.
  local size, first_at, last_at, open = 0, 0, 0, true
  for index, id in ipairs(ids) do
    local fields = redis.call('HMGET', journal_of(id), 'joining', 'size', 'accepted_at')
    if index > 1 and (fields[1] == 'no' or size + number(fields[2]) > tonumber(ARGV[7])) then
      open = false
      break
    end
    group, size, last_at = index, size + number(fields[2]), number(fields[3])
    if index == 1 then first_at = last_at end
    if fields[1] ~= 'open' then
      open = false
      break
    end
  end
  if open and group < tonumber(ARGV[6]) then
    local at = quiet_at(first_at, last_at, tonumber(ARGV[4]), tonumber(ARGV[5]))
    if at > now then return later('quiet', at) end
  end
elseif group > #ids then
  ids = redis.call('LRANGE', inbox, 0, group - 1)
end

local head = journal_of(ids[1])
local fence = number(state[7])
if not repeated then
  fence = fence + 1
  local lease_until = now + tonumber(ARGV[3])
  redis.call('HSET', conversation, 'owner', token, 'lease_until', lease_until, 'fence', fence, 'group', group)
  redis.call('HDEL', conversation, 'hold_until', 'hold_reason', 'rings')
  redis.call('ZADD', agenda, lease_until, name)
  local past = redis.call('HMGET', head, 'step', 'reply', 'first_begun_at', 'bubbles_sent')
  if not past[3] then redis.call('HSET', head, 'first_begun_at', now) end
  -- A step left open: its holder crashed or lost its lease. Counted before the work, so that poison is found out.
  if past[1] == 'asking' or past[1] == 'delivering' then
    redis.call('HINCRBY', head, past[1] == 'asking' and 'asks_vanished' or 'sends_vanished', 1)
  end
  local doubts = redis.call('HMGET', head, 'ask_unknowns', 'asks_vanished', 'send_unknowns', 'sends_vanished')
  if past[2] then
    redis.call('HSET', head, 'step', 'delivering')
    local word = (doubts[3] or doubts[4]) and 'resent' or 'sending'
    local bubble = past[4] and number(past[4]) + 1 or ''
    note(timeline, now, word, redis.call('HINCRBY', head, 'sends', 1), fence, bubble)
  else
    redis.call('HSET', head, 'step', 'asking')
    local word = (doubts[1] or doubts[2]) and 'second ask' or 'asking'
    note(timeline, now, word, redis.call('HINCRBY', head, 'asks', 1), fence, group)
  end
end

local known = redis.call('HGETALL', conversation)
if gives_way then
  known[#known + 1] = 'gives_way'
  known[#known + 1] = stopped
end
local answer = {'granted', now, fence, known}
for index = 1, group do
  answer[#answer + 1] = ids[index]
  answer[#answer + 1] = redis.call('HGETALL', journal_of(ids[index]))
end
return answer
