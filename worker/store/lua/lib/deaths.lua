-- Put before the script that ends the leases of dead processes.
--
-- A process that runs turns says so in each shard of their conversations, several times within its time
-- (keep_process.lua). One whose time is over is dead or cannot reach the store; if it comes back, the fences tell it what
-- it has lost. But a missing sign proves nothing if no process could give one: if no caller has looked for longer than
-- `gap_ms`, the store was unreachable, refused writes or stood still, or its clock was set forward. Then each process gets
-- its time once more, after each such gap: outages that follow each other leave no time for a sign between them. Where
-- looks are always late, the leases of the conversations end by themselves.

-- Ends what those processes hold. `dead`: processes as keys of a table.
local function end_leases(dead, agenda, conversation_prefix, now, lease_ms)
  -- A turn that runs stands on the agenda at the end of its lease, or before.
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', agenda, '-inf', now + lease_ms)) do
    local conversation = conversation_prefix .. name
    local state = redis.call('HMGET', conversation, 'owner', 'lease_until')
    if state[1] and dead[string.match(state[1], '^[^-]*')] and number(state[2]) > now then
      redis.call('HSET', conversation, 'lease_until', stamp(now))
      redis.call('ZADD', agenda, stamp(now), name)
    end
  end
end

local function end_leases_of_the_dead(keys, now, ttl_ms, gap_ms, lease_ms)
  local watched_key = string.match(keys.agenda, '^[^}]*}') .. ':watched'
  local watched = number(redis.call('GET', watched_key))
  redis.call('SET', watched_key, stamp(now), 'PX', '60000')
  local unwatched = now > watched + gap_ms
  local found = redis.call('ZRANGEBYSCORE', keys.processes, '-inf', unwatched and now + ttl_ms or now)
  local dead = {}
  for _, process in ipairs(found) do
    if unwatched then
      redis.call('ZADD', keys.processes, stamp(now + ttl_ms), process)
    else
      redis.call('ZREM', keys.processes, process)
      dead[process] = true
    end
  end
  if next(dead) then end_leases(dead, keys.agenda, keys.conversation_prefix, now, lease_ms) end
end
