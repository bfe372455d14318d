-- Take the lease of a conversation and read what its turn needs; or say why not now.
--
-- repeatable_kinds: those that may be asked again although their call may have been acted on, a space around each.
-- preparing_kinds: those whose turn has more to do before the call, likewise. resends: a delivery may be repeated.
-- silence, only_opted_in: the persona's rules about consent (lib/consent.lua).
-- quiet_takeover_ms: after so long a quiet takeover ends by itself, or 0. jitter_ms: 0..999.
-- whole_wallet: without credits no call is made; else only conversations that would start wait.
-- stop_rest: when the lead writes, the bubbles that were not sent yet are withheld.
-- Returns {'granted', now, fence, values of the conversation's fields that turns are told (worker/store/redis/lua_words.py),
--          {why outreach is stopped, if the head ends without a call for that, because something that happened on the platform
--          waits behind it; why the lead does not want it, or taken_over for what does not wait for the person: nothing of it
--          is asked or sent; the closed gate that this turn tries; 1 when the lead wrote while bubbles went out: the rest is
--          not sent; 1 when the turn before this one vanished; '' and 0 = none}, {id, journal fields} ...}
--      or {'empty' | 'busy' | 'taken_over' | 'quiet' | 'held' | 'paused' | 'quarantined' | 'outreach', until, reason}
--      or {'hand_back', until, reason}: the takeover was quiet for long enough; hand back, then begin again.
-- Twice with the same token: the second time returns the same grant and counts nothing again; once the turn has ended it
-- grants nothing.

local now = clock()

local function journal_of(id)
  return journal_prefix .. id .. ' ' .. name
end

local ids = redis.call('LRANGE', inbox, '0', most_events - 1)
if #ids == 0 then
  redis.call('ZREM', agenda, name)
  return {'empty', 0, ''}
end

local function read_state()
  local read = redis.call('HMGET', conversation, 'owner', 'lease_until', 'fence', 'group', 'settled_by', 'held_by',
    'operator_words', 'taken_over', 'consent', 'seq', 'hold_until', 'probing', 'rings', 'interruptible')
  return {owner = read[1], lease_until = read[2], fence = read[3], group = read[4], settled_by = read[5], held_by = read[6],
    operator_words = read[7], taken_over = read[8], consent = read[9], seq = read[10], hold_until = read[11],
    probing = read[12], rings = read[13], interruptible = read[14]}
end

-- The answer has all fields of the head but those that only scripts have a use for: each costs as much as a small command.
local ONLY_HERE = {joining = true, size = true, own_channel = true,
  -- As this turn leaves them: put at the end.
  step = true, asks = true}

local state = read_state()
-- Its holder may have its answer in hand, and comes first, as below.
local late, spare = now - number(state.lease_until), math.max(2000, math.floor(lease_ms / 2))
local awaited = state.owner and late > spare and late < 300000
if awaited then awaited = redis.call('HGET', conversation, 'awaited') ~= state.fence end
-- The caller of this token has begun before.
local begun = token == state.owner or token == state.settled_by or token == state.held_by
if state.operator_words and late >= 0 and not awaited and not begun then
  redis.call('HDEL', conversation, 'owner', 'lease_until')
  if rare.bring_forward(conversation, inbox, journal_prefix, name) then
    ids = redis.call('LRANGE', inbox, '0', most_events - 1)
  end
  state = read_state()
end
local owner, group = state.owner, number(state.group)
local head = journal_of(ids[1])
local past, entry = hash(head, ONLY_HERE)
local kind = past.kind or ''
-- A reply that is already stored costs no call: the persona's gates do not keep it from the lead.
local unanswered = not past.reply
local gates = unanswered and hash(persona)

-- First write of each way through, here and where the lease is taken: a full store denies it.
local function later(status, at, reason)
  redis.call('ZADD', agenda, at, name)
  if state.rings then redis.call('HDEL', conversation, 'rings') end
  return {status, at, reason or ''}
end

-- Bubbles of this reply went out, and the lead may have written meanwhile.
local interruptible = stop_rest and not unanswered and number(past.bubbles_sent) > 0

if not state.consent and not state.seq then
  -- A process of 0.1.0 began this conversation, and did not look at what the lead had said before (accept.lua).
  state.consent = string.match(redis.call('HGET', consents, name) or '', '^%l+')
end
local unwanted
if state.consent or only_opted_in then
  unwanted = rare.unwanted_because(state.consent, kind, past.said, silence, only_opted_in)
end
-- A follow-up that was pulled does not wait for the person's end: the lead was not quiet then.
if state.taken_over and not rare.asks(kind) and not rare.by_operator(kind) then unwanted = unwanted or 'taken_over' end
local opts_out = past.said and unanswered
-- What ends without a call waits for no gate.
local ends = unwanted or opts_out
-- Why outreach is stopped, if the head is outreach and not answered.
local stopped = unanswered and gates.outreach
if stopped then
  local lead = redis.call('HMGET', conversation, 'last_inbound', 'inbound_seq')
  if rare.lane_of({kind, past.accepted_at, past.seq}, lead) ~= 'outreach' then stopped = nil end
end
local gives_way = false
for _, id in ipairs(stopped and redis.call('LRANGE', inbox, 1, 9) or {}) do
  gives_way = gives_way or rare.happened(redis.call('HGET', journal_of(id), 'kind'))
end
local repeated = owner == token

-- The closed gate that this turn may try (probe.lua).
local probing
if state.probing then
  local gate, at, by = string.match(state.probing, '^(%l+) (%d+) ?(.*)$')
  if repeated and by == token or not repeated and number(at) > now then probing = gate end
end

if token == state.settled_by or token == state.held_by then
  -- Its turn has ended: this call was on its way for so long that its own repetition came before it.
  return {'busy', now, ''}
end

if not repeated then
  if owner and number(state.lease_until) > now then
    return {'busy', number(state.lease_until), ''}
  end
  if awaited then
    -- The lease ran out a while ago and nobody has begun since: the store was away or refused to write, or all workers
    -- were away. A holder that lives may have its answer in hand, at most for some minutes; it renews as soon as it can,
    -- and comes first. It is waited for once.
    redis.call('HSET', conversation, 'lease_until', now + spare, 'awaited', state.fence)
    return later('busy', now + spare)
  end
  if state.taken_over and not rare.only_told(kind) and rare.asks(kind) then
    -- A person has the conversation: not even a reply that is stored goes out.
    local first = number(past.accepted_at)
    local acts = redis.call('HMGET', conversation, 'taken_over_at', 'last_said', 'last_inbound')
    local takeover_ends = rare.takeover_end(rare.last_act(acts[1], acts[2]), number(acts[3]), first, quiet_takeover_ms)
    if takeover_ends and takeover_ends <= now then return later('hand_back', now + lease_ms, state.taken_over) end
    local far = now + 3600000 + jitter_ms
    return later('taken_over', math.min(far, takeover_ends or far), state.taken_over)
  end
  -- The pause before a bubble that is not sent is not waited for.
  local interrupted = interruptible and group > 0 and rare.lead_interrupts(inbox, group, journal_prefix, name)
  if number(state.hold_until) > now and not interrupted and unwanted ~= 'taken_over' then
    return later('held', number(state.hold_until), redis.call('HGET', conversation, 'hold_reason'))
  end
  local gate
  if ends then
    gate = nil
  elseif unanswered then
    local far = now + 3600000 + jitter_ms
    if gates.paused then return later('paused', far, gates.paused) end
    if gates.quarantined then return later('quarantined', far, gates.quarantined) end
    local calls, hold_until = kind == 'inbound_chat' or rare.asks(kind), number(gates.hold_until)
    if calls and hold_until > now then return later('held', hold_until + jitter_ms / 4, gates.hold_reason or '') end
    if stopped and not gives_way then return later('outreach', far, stopped) end
    -- The try of the circuit needs no other right: were all who wait new to the persona, none of them could make it.
    gate = calls and ((gates.circuit_until and probing ~= 'circuit' and 'circuit')
      or (gates.credits_until and (whole_wallet or redis.call('HEXISTS', conversation, 'started') == 0) and not rare.only_told(kind) and not probing and 'credits'))
  elseif probing ~= 'channel' and redis.call('HEXISTS', channel, 'channel_until') == 1 then
    gate = 'channel'
  end
  if gate then
    -- It opens when a call succeeds: one of those that wait tries at each interval, the longest waiting first. What must
    -- not be repeated comes after all others: a try may end without an answer.
    local repeatable, owned_by = resends, string.match(channel, ':channel:(.*)$')
    if gate ~= 'channel' then
      repeatable = string.find(repeatable_kinds, ' ' .. kind .. ' ', 1, true) ~= nil
      owned_by = string.match(name, '^[^:]*')
    end
    local waiting = waiting_prefix .. gate .. ':' .. owned_by
    local place = redis.call('ZSCORE', waiting, name)
    if not place or (repeatable and tonumber(place) >= LAST_TO_TRY) then
      redis.call('ZADD', waiting, (repeatable and 0 or LAST_TO_TRY) + number(past.accepted_at), name)
    end
    return later('held', now + 3600000 + jitter_ms, gate)
  end
end

local closing
if group == 0 then
  -- Not asked yet: consecutive messages join, an image closes the group, another kind ends it.
  local size, first_at, last_at, open = 0, 0, 0, true
  for index, id in ipairs(ids) do
    local fields = index == 1 and {past.joining, past.size, past.accepted_at}
      or redis.call('HMGET', journal_of(id), 'joining', 'size', 'accepted_at')
    if index > 1 and (fields[1] == 'no' or size + number(fields[2]) > most_characters) then
      open = false
      break
    end
    group, size, last_at, closing = index, size + number(fields[2]), number(fields[3]), fields[1] == 'closing'
    if index == 1 then first_at = last_at end
    if fields[1] ~= 'open' then
      open = false
      break
    end
  end
  if open and group < most_events then
    local at = quiet_at(first_at, last_at, settle_ms, settle_limit_ms, now)
    if at > now then return later('quiet', at) end
  end
elseif group > #ids then
  ids = redis.call('LRANGE', inbox, 0, group - 1)
end
if closing == nil and group > 0 then closing = redis.call('HGET', journal_of(ids[group]), 'joining') == 'closing' end

local interrupted = interruptible and group > 0 and rare.lead_interrupts(inbox, group, journal_prefix, name)
-- What is written to the head.
local learned = {}
local function learn(field, value)
  past[field] = value
  learned[#learned + 1], learned[#learned + 2] = field, value
end
local vanished = 0
local fence = number(state.fence or rare.fence_of_forgotten(conversation))
if not repeated then
  fence = fence + 1
  local lease_until, fence_text, group_text = stamp(now + lease_ms), stamp(fence), stamp(group)
  redis.call('HSET', conversation, 'owner', token, 'lease_until', lease_until, 'fence', fence_text, 'group', group_text)
  if state.hold_until or state.interruptible or state.rings then
    redis.call('HDEL', conversation, 'hold_until', 'hold_reason', 'interruptible', 'rings')
  end
  redis.call('ZADD', agenda, lease_until, name)
  if probing then
    redis.call('HSET', conversation, 'probing', probing .. ' 0 ' .. token)
  elseif state.probing then
    redis.call('HDEL', conversation, 'probing')
  end
  -- A step left open: its holder crashed or lost its lease. Counted before the work, so that poison is found out.
  local asked, sent = past.step == 'asking', past.step == 'delivering'
  if asked or sent then vanished = 1 end
  if asked then learn('asks_vanished', number(past.asks_vanished) + 1) end
  if sent then learn('sends_vanished', number(past.sends_vanished) + 1) end
  if ends then
    if past.reply then learn('step', 'replied') end
  elseif interrupted then
    learn('step', 'replied')
  elseif past.reply then
    local attempt = number(past.sends) + 1
    learn('step', 'delivering')
    learn('sends', attempt)
    local word = (past.send_unknowns or past.sends_vanished or sent) and 'resent' or 'sending'
    rare.note(timeline, now, word, attempt, fence, past.bubbles_sent and number(past.bubbles_sent) + 1 or '')
  else
    -- What has more to do before the call says so when it calls (asking.lua): left before, it asked nothing.
    local prepares = past.failed or closing or string.find(preparing_kinds, ' ' .. kind .. ' ', 1, true)
    local attempt = number(past.asks) + (past.step == 'begun' and 0 or 1)
    learn('step', prepares and 'begun' or 'asking')
    learn('asks', stamp(attempt))
    if kind == 'inbound_chat' or rare.asks(kind) then
      local word = (past.ask_unknowns or past.asks_vanished or asked) and 'second ask' or 'asking'
      note_json(timeline, stamp(now) .. ',"' .. word .. '",' .. past.asks .. ',' .. fence_text .. ',' .. group_text)
    end
  end
  if learned[1] then redis.call('HSET', head, unpack(learned)) end
end
for index = 1, #learned, 2 do
  if not ONLY_HERE[learned[index]] then
    -- Of two values of a field the later one counts.
    entry[#entry + 1], entry[#entry + 2] = learned[index], learned[index + 1]
  end
end
entry[#entry + 1], entry[#entry + 2], entry[#entry + 3], entry[#entry + 4] = 'step', past.step or '', 'asks', past.asks or 0

-- Of this turn.
local found = {gives_way and stopped or '', unwanted or '', probing or '', interrupted and 1 or 0, vanished}
local answer = {'granted', now, fence, told_to_turns(conversation), found}
for index = 1, group do
  answer[#answer + 1] = ids[index]
  answer[#answer + 1] = index == 1 and entry or redis.call('HGETALL', journal_of(ids[index]))
end
return answer
