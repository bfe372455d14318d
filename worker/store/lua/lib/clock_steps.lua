-- What is done when the clock of a shard was found to have stepped, or none is kept (lib/clock.lua): made only then.

-- Beyond the length of a lease: a beat that is late is no gap.
local GAP_MS = 4000

-- A full store refuses this; then what was seen last is a little older. It ends when nothing happens for a week.
local function keep_clock(key, now)
  redis.pcall('SET', key, now, 'PX', 604800000)
end

-- Move all times of a shard by which its clock has stepped back.
local function mend(tag, now, by)
  -- Of a persona, in its home shard. A moment is a score, or the text itself.
  local MOMENTS, NEXT_MOMENTS, RIGHTS = {'reserved', 'running', 'paced', 'pulled'}, {'rate', 'pace'}, {'circuit', 'credits'}
  local FOR_EVER = 9999999999999

  -- What had passed when the clock stepped back is due; what had not keeps what was left of it.
  local function sooner(at)
    at = number(at)
    return at > now and math.max(now, at - by) or at
  end

  local function no_later_than_now(key, ...)
    local values = redis.call('HMGET', key, ...)
    for index, field in ipairs({...}) do
      if number(values[index]) > now then redis.call('HSET', key, field, now) end
    end
  end

  local function mend_scores(key, from, mended)
    local found = redis.call('ZRANGEBYSCORE', key, '(' .. from, '+inf', 'WITHSCORES')
    for index = 1, #found, 2 do redis.call('ZADD', key, mended(found[index + 1]), found[index]) end
  end

  -- Returns the end of its lease, if it has one.
  local function mend_conversation(name)
    local key = tag .. 'conversation:' .. name
    local state = redis.call('HMGET', key, 'lease_until', 'hold_until', 'last_inbound', 'inbound_seq', 'probing')
    if number(state[3]) > now then
      local lead_seq = string.match(state[4] or '', '^(%d+) ' .. state[3] .. '$')
      redis.call('HSET', key, 'last_inbound', now)
      if lead_seq then redis.call('HSET', key, 'inbound_seq', lead_seq .. ' ' .. now) end
    end
    no_later_than_now(key, 'taken_over_at', 'rung_at', 'last_said')
    local gate, at, by_turn = string.match(state[5] or '', '^(%l+) (%d+)(.*)$')
    if gate and number(at) > now then redis.call('HSET', key, 'probing', gate .. ' ' .. sooner(at) .. by_turn) end
    if number(state[2]) > now then redis.call('HSET', key, 'hold_until', sooner(state[2])) end
    local lease_until = math.min(number(state[1]), now + LEASE_MS)
    if lease_until <= now then return nil end
    redis.call('HSET', key, 'lease_until', lease_until)
    return lease_until
  end

  local function mend_agenda()
    local found = redis.call('ZRANGE', tag .. 'agenda', 0, -1, 'WITHSCORES')
    for index = 1, #found, 2 do
      local name, at = found[index], tonumber(found[index + 1])
      local lease_until = mend_conversation(name)
      if at > now then redis.call('ZADD', tag .. 'agenda', lease_until or sooner(at), name) end
      for _, id in ipairs(redis.call('LRANGE', tag .. 'inbox:' .. name, 0, -1)) do
        local journal = tag .. 'journal:' .. id .. ' ' .. name
        local accepted = redis.call('HMGET', journal, 'accepted_at', 'accepted_as')
        if number(accepted[1]) > now then
          -- A turn that began before names its event by this time (record.lua). Ten steps of one wait are enough.
          local as = string.sub((accepted[2] or '') .. accepted[1] .. ' ', -140)
          redis.call('HSET', journal, 'accepted_at', now, 'accepted_as', as)
        end
        no_later_than_now(journal, 'first_begun_at')
        local failed_at, failure = string.match(redis.call('HGET', journal, 'failed') or '', '^(%d+)( .*)$')
        -- What is far beyond was counted at once, and is no time.
        if failure and number(failed_at) > now and number(failed_at) < FOR_EVER then
          redis.call('HSET', journal, 'failed', now .. failure)
        end
      end
    end
  end

  local function mend_takeovers()
    local found = redis.call('HGETALL', tag .. 'taken_over')
    for index = 1, #found, 2 do
      if number(found[index + 1]) > now then
        redis.call('HSET', tag .. 'taken_over', found[index], now)
        mend_conversation(found[index])
      end
    end
  end

  -- A silence that began in what is now the future begins now. What a producer has asked for is a time of day: it stays.
  local function mend_follow_ups()
    local key = tag .. 'follow_ups'
    local found = redis.call('ZRANGEBYSCORE', key, '(' .. now, '+inf', 'WITHSCORES')
    for index = 1, #found, 2 do
      local name, at = found[index], tonumber(found[index + 1])
      local conversation = tag .. 'conversation:' .. name
      local state = redis.call('HMGET', conversation, 'quiet_from', 'touch_at', 'touch_requested')
      local meant, ahead = number(state[2]), number(state[1]) - now
      if not state[3] and ahead > 0 then
        redis.call('HSET', conversation, 'quiet_from', now, 'touch_at', math.max(now, meant - ahead))
        redis.call('ZADD', key, math.max(now, at - ahead), name)
      elseif at > meant then
        -- It is only looked at again then: for a cap, a gate, an event in front of it.
        redis.call('ZADD', key, math.max(meant, sooner(at)), name)
      end
    end
  end

  local function mend_gates(key)
    local gates = redis.call('HGETALL', key)
    for index = 1, #gates, 2 do
      if string.match(gates[index], '_until$') then
        redis.call('HSET', key, gates[index], sooner(gates[index + 1]))
      end
    end
    no_later_than_now(key, 'succeeded_at')
  end

  local function at_once()
    return now
  end

  -- A sign may have been given since the step, by a script that mends nothing.
  local function end_of_process(at)
    return tonumber(at) > now + LEASE_MS and sooner(at) or at
  end

  local function mend_shard()
    mend_scores(tag .. 'errands', now, sooner)
    mend_scores(tag .. 'processes', now, end_of_process)
    mend_scores(tag .. 'rung', now, at_once)
    for _, persona in ipairs(redis.call('SMEMBERS', tag .. 'queued')) do
      mend_scores(tag .. 'parked:' .. persona, now, at_once)
    end
    mend_gates(tag .. 'channel:' .. CHANNEL)
  end

  local function mend_ramp(persona)
    local ramp = tag .. 'ramp:' .. persona
    if redis.call('EXISTS', ramp) == 0 then return end
    local state = redis.call('HMGET', ramp, 'next', 'delay', 'waking_until')
    local delay = number(state[2])
    local function in_schedule(at)
      return sooner(tonumber(at) + delay) - delay
    end
    if state[1] then redis.call('HSET', ramp, 'next', in_schedule(state[1])) end
    if state[3] then redis.call('HSET', ramp, 'waking_until', sooner(state[3])) end
    no_later_than_now(ramp, 'since')
    mend_scores(tag .. 'moments:' .. persona, now - delay, in_schedule)
    mend_scores(tag .. 'gone:' .. persona, now, at_once)
  end

  local function mend_persona(persona)
    mend_gates(tag .. 'persona:' .. persona)
    mend_ramp(persona)
    for _, noun in ipairs(MOMENTS) do mend_scores(tag .. noun .. ':' .. persona, now, sooner) end
    for _, noun in ipairs(NEXT_MOMENTS) do
      local key = tag .. noun .. ':' .. persona
      local at = number(redis.call('GET', key))
      if at > now then redis.call('SET', key, sooner(at), 'KEEPTTL') end
    end
    for _, gate in ipairs(RIGHTS) do
      -- The server expires it by the same clock.
      local key = tag .. 'probe:' .. persona .. ':' .. gate
      local left = redis.pcall('PTTL', key)
      if type(left) == 'number' and left > by then redis.pcall('PEXPIRE', key, left - by) end
    end
  end

  mend_agenda()
  mend_takeovers()
  mend_follow_ups()
  mend_shard()
  for persona in string.gmatch(PERSONAS, '%S+') do mend_persona(persona) end
end

-- For a shard in which no time was kept so far: the latest moment at which anything that waits was accepted.
local function latest_acceptance(tag)
  local latest = 0
  for _, name in ipairs(redis.call('ZRANGE', tag .. 'agenda', 0, -1)) do
    for _, id in ipairs(redis.call('LRANGE', tag .. 'inbox:' .. name, 0, -1)) do
      latest = math.max(latest, number(redis.call('HGET', tag .. 'journal:' .. id .. ' ' .. name, 'accepted_at')))
    end
  end
  return latest
end

-- No script of this shard has run for longer than a lease, not even a beat's: the clock was set forward, or the store was
-- away or frozen. Those who hold a lease could not renew it, so one that ended meanwhile lasts once more.
local function lengthen_leases(tag, kept, now)
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', tag .. 'agenda', kept, now)) do
    local state = redis.call('HMGET', tag .. 'conversation:' .. name, 'owner', 'lease_until')
    if state[1] and number(state[2]) >= kept and number(state[2]) <= now then
      redis.call('HSET', tag .. 'conversation:' .. name, 'lease_until', now + LEASE_MS)
      redis.call('ZADD', tag .. 'agenda', now + LEASE_MS, name)
    end
  end
end

-- The time that a shard has kept is not that of the clock: mend what has to be mended, and keep the time. `kept`: nil = none.
-- `stores`: this script stores times.
local function mend_step(tag, kept, now, stores)
  local seen = kept or latest_acceptance(tag)
  local stepped = seen > now + STEP_MS
  if stepped then mend(tag, now, seen - now) end
  if kept and stores and now > kept + LEASE_MS + GAP_MS then lengthen_leases(tag, kept, now) end
  if stepped or stores then keep_clock(tag .. 'clock', now) end
end
