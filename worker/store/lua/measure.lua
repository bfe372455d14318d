-- Measure one shard: its counters, its indexes, and what waits in it and why. Changes nothing.
--
-- most: so many of the conversations that wait are looked at, at most.
-- Returns {now, {counter field, count, ...}, conversations on the agenda, how many of them were looked at,
--          earliest time on the agenda or now, follow-ups planned, earliest of them or now, dead letters, seals,
--          leads who opted out or in, {persona or *, how many of its leads are out, ...},
--          conversations that a person has,
--          {persona, reason, conversations, events, earliest acceptance, why the earliest is held or '', ...}}.
-- When more wait than may be looked at, those that are looked at are drawn by lot. Reasons:
--      turn      a turn is under way        hold      held for itself, for a retry or in line for a call
--      moment    between two bubbles, or it speaks first and is held
--      person    a person has taken the conversation over
--      channel   its answer waits, the channel's gate is closed
--      paused | quarantined | persona_hold | outreach_stopped | circuit | credits          a gate of the persona is closed
--      outreach  it speaks first, so it comes after those who wait for an answer
--      worker    nothing but the quiet moment after a message, or a worker that is free

stores = false
local now = clock()

local function earliest(index)
  return number(redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')[2] or now)
end

local channel_closed = redis.call('HEXISTS', channel, 'channel_until') == 1
local gates = {}
local function gates_of(persona)
  if not gates[persona] then
    local f = redis.call('HMGET', persona_prefix .. persona, 'paused', 'quarantined', 'hold_until', 'outreach', 'circuit_until',
      'credits_until')
    gates[persona] = {
      all = f[1] and 'paused' or f[2] and 'quarantined' or number(f[3]) > now and 'persona_hold',
      outreach = f[4] and 'outreach_stopped',
      unreachable = f[5] and 'circuit',
      new = f[6] and 'credits',
    }
  end
  return gates[persona]
end

local function why(name, persona, accepted_at, replied, kind, seq)
  local state = redis.call('HMGET', conversation_prefix .. name, 'lease_until', 'hold_until', 'started', 'taken_over', 'last_inbound',
    'inbound_seq', 'hold_reason')
  if number(state[1]) > now then return 'turn' end
  if state[4] then return 'person' end
  local lane = lane_of({kind, accepted_at, seq}, {state[5], state[6]})
  if number(state[2]) > now then
    local reason = state[7] or ''
    local paced = string.find(reason, '^pacing') or string.find(reason, '^next bubble')
    if paced or (lane == 'outreach' and not replied) then return 'moment' end
    return 'hold', reason
  end
  if replied then return channel_closed and 'channel' or 'worker' end
  local closed = gates_of(persona)
  if lane == 'outreach' and closed.outreach then return closed.all or closed.outreach end
  return closed.all or closed.unreachable or (not state[3] and closed.new) or (lane == 'outreach' and lane) or 'worker'
end

local waiting = redis.call('ZCARD', agenda)
local names = waiting > most and redis.call('ZRANDMEMBER', agenda, most) or redis.call('ZRANGE', agenda, 0, -1)
local rows, order = {}, {}
for _, name in ipairs(names) do
  local id = redis.call('LINDEX', inbox_prefix .. name, 0)
  if id then
    local persona = string.match(name, '^[^:]*')
    local head = redis.call('HMGET', journal_prefix .. id .. ' ' .. name, 'accepted_at', 'reply', 'kind', 'seq')
    local reason, held_for = why(name, persona, unpack(head, 1, 4))
    local key = persona .. ' ' .. reason
    local row = rows[key]
    if not row then
      row = {persona, reason, 0, 0, now, ''}
      rows[key] = row
      order[#order + 1] = key
    end
    row[3] = row[3] + 1
    row[4] = row[4] + redis.call('LLEN', inbox_prefix .. name)
    local accepted_at = number(head[1] or now)
    if accepted_at <= row[5] then row[5], row[6] = accepted_at, held_for or '' end
  end
end

local answer = {}
for _, key in ipairs(order) do
  for _, value in ipairs(rows[key]) do answer[#answer + 1] = value end
end
return {now, redis.call('HGETALL', books), waiting, #names, earliest(agenda),
  redis.call('ZCARD', follow_ups), earliest(follow_ups), redis.call('ZCARD', dead), redis.call('HLEN', sealed),
  redis.call('HLEN', consents) + redis.call('HLEN', consents_of_leads), redis.call('HGETALL', opted_out),
  redis.call('HLEN', taken_over), answer}
