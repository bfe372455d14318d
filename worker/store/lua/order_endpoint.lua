-- What an operator wants of an endpoint.
--
-- what: pause; resume: it is tried again at once; replay: what comes after `positions` (field, id ...) is sent again, and
-- no position is moved forward; skip: what comes before `positions` is left out, and none is moved back; it ends a pause,
-- too. call: names this order, so that it is done once. reason, by: of a pause.
-- Returns 1 when something was changed.

-- Whether an id of a stream comes before another one.
local function is_before(one, other)
  local ms, number_of_one = string.match(one, '^(%d+)-(%d+)$')
  local other_ms, number_of_other = string.match(other, '^(%d+)-(%d+)$')
  if number(ms) ~= number(other_ms) then return number(ms) < number(other_ms) end
  return number(number_of_one) < number(number_of_other)
end

-- Of an id of a stream: numbers grow, and where no notice is kept they are all that is known.
local function number_in(id) return number(string.match(id, '-(%d+)$')) end

local function moves(at, to)
  if what == 'skip' then return not at or number_in(at) < number_in(to) end
  return at and is_before(to, at)
end

finish_even_when_full(endpoint)
local known = redis.call('HMGET', endpoint, 'ordered', 'paused')
if known[1] == call then return 1 end
redis.call('HSET', endpoint, 'ordered', call)
redis.call('PEXPIRE', endpoint, kept_ms)
if what == 'pause' then
  if known[2] then return 0 end
  redis.call('HSET', endpoint, 'paused', reason, 'paused_at', stamp(clock()), 'paused_by', by)
  return 1
end
if what == 'resume' then
  if not known[2] then return 0 end
  redis.call('HDEL', endpoint, 'paused', 'paused_at', 'paused_by')
else
  local moved = 0
  for index = 1, #positions, 2 do
    local field, to = positions[index], positions[index + 1]
    local at = redis.call('HGET', endpoint, field) or nil
    if moves(at, to) then
      redis.call('HSET', endpoint, field, to)
      moved = 1
    end
  end
  if what == 'skip' then moved = moved + redis.call('HDEL', endpoint, 'paused', 'paused_at', 'paused_by') end
  if moved == 0 then return 0 end
end
redis.call('HDEL', endpoint, 'since', 'since_at', 'tries', 'not_before')
redis.call('HINCRBY', endpoint, 'revision', 1)
return 1
