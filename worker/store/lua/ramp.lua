-- Whether an opener may go now by its persona's ramp, or how long it waits for the moment that it is given.
--
-- settings: as one text; '' = no ramp any more. openers_per_hour: at the start; growth_per_day: its factor; most_per_hour: its
-- bound. jitter: factor of the gap behind this opener. valid_ms: until it is too old to go.
-- Returns {ms to wait or 0, 'go' | 'moment' | 'full', woken}. `full`: no moment is free before it is too old; it waits
--      until then and takes nobody's moment. woken = 0: the settings have changed, and this caller is asked to wake who
--      waits for a moment of the old ones.
-- Moments are handed out in the order of asking, each with the rate that holds at that moment. When openers come later
-- than their moments (a closed gate, quiet hours, no worker), the whole schedule moves, so that nothing is made up for
-- at once; one that is hours late while others went in time takes a new moment, behind those that are given. Twice for one opener: the same answer; an opener that went may go again.

local day, hour = 86400000, 3600000
if settings == '' and redis.call('EXISTS', ramp) == 0 then
  return {0, 'go', 1}
end
local now = clock()
local state = redis.call('HMGET', ramp, 'settings', 'since', 'next', 'delay', 'woken', 'waking_until')
if not state[1] and settings == '' then
  return {0, 'go', 1}
end

local since = number(state[2] or now)
local function gap(at)
  local days = math.floor(math.max(0, at - since) / day)
  return hour / math.min(most_per_hour, openers_per_hour * growth_per_day ^ days)
end

-- A step of a turn that has begun.
finish_even_when_full(ramp)
local free, delay = number(state[3]), number(state[4])
if state[1] ~= settings then
  local last = redis.call('ZREVRANGE', gone, 0, 0, 'WITHSCORES')
  free, delay = (last[2] and settings ~= '') and number(last[2]) + gap(now) or 0, 0
  redis.call('DEL', moments)
  redis.call('HSET', ramp, 'settings', settings, 'since', since, 'next', free, 'delay', delay)
  if not state[1] then
    state[5] = settings
    redis.call('HSET', ramp, 'woken', settings)
  end
end
local woken = 1
if state[5] ~= settings and number(state[6]) <= now then
  redis.call('HSET', ramp, 'waking_until', now + 60000)
  woken = 0
end
if settings == '' or redis.call('ZSCORE', gone, opener) then
  return {0, 'go', woken}
end

-- How long the ramp could have let somebody go and nobody came; nil when it has let nobody go of late.
local function idle()
  local last = redis.call('ZREVRANGE', gone, 0, 0, 'WITHSCORES')
  return last[2] and math.max(0, now - number(last[2]) - gap(now))
end

local own = redis.call('ZSCORE', moments, opener)
local late = own and now - number(own) - delay or 0
if late > hour and late - (idle() or late) > hour then
  -- Others went in time: not the schedule is late but this opener, so it asks as if for the first time.
  redis.call('ZREM', moments, opener)
  own = nil
end
local at
if own then
  at = number(own) + delay
  if late > math.max(gap(now), 5000) then
    delay = delay + late
    at = now
    redis.call('HSET', ramp, 'delay', delay)
  end
else
  at = math.max(free + delay, now)
  if at > now + valid_ms then
    return {valid_ms + 1000, 'full', woken}
  end
  redis.call('HSET', ramp, 'next', at - delay + gap(at) * jitter)
end
if at > now then
  if not own then
    redis.call('ZADD', moments, at - delay, opener)
    redis.call('PEXPIRE', moments, math.ceil(at - now) + 30 * day)
  end
  return {math.ceil(at - now), 'moment', woken}
end
redis.call('ZREM', moments, opener)
redis.call('ZADD', gone, now, opener)
redis.call('PEXPIRE', gone, 2 * day)
redis.call('ZREMRANGEBYSCORE', gone, '-inf', now - 2 * day)
redis.call('ZREMRANGEBYSCORE', moments, '-inf', now - delay - 30 * day)
return {0, 'go', woken}
