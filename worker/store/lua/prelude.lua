-- Put before every script. Keys of one call share one hash tag: one shard, one slot.
--
-- conversation HASH  owner, lease_until, fence      the lease: token, milliseconds, number that only grows
--                    hold_until, hold_reason        leave the head in place until then
--                    group                          how many events at the head are asked together, once asked
--                    channel                        JSON, the latest channel context
--                    started                        1 once the persona has answered this lead
--                    sealed, owned_elsewhere        milliseconds when we learned it
--                    last_inbound                   milliseconds of the last accepted inbound chat
--                    plan, plan_step                number of the current follow-up plan, its step
--                    rings                          doorbells rung since the last look
--                    last_rank, answered_rank       the highest rank given, and the highest that was answered
-- inbox        LIST  event ids in the order of acceptance
-- journal      HASH  kind, payload, accepted_at (or replayed), first_accepted_at (when replayed)
--                    joining (open, closing, no), size
--                    step (waiting, asking, replied, delivering, settled), first_begun_at
--                    asks, ask_unknowns, asks_vanished, sends, send_unknowns, sends_vanished
--                    image_url (hosted), reply, replied_at, fate, reason, settled_at
--                    rank (of a dead event: number in the order of ending, which is that of acceptance; replay finds
--                    its place by it), asked_with (of a dead event: head of its group), discarded_at
--                    replayed_by (name of the last call), replayed_as (of a refused event: id it was accepted under)
-- agenda       ZSET  conversation -> milliseconds when to look at it next
-- timeline     LIST  JSON arrays [milliseconds, word, ...], no content
-- books        HASH  <persona>:accepted, :answered, :joined, :ignored, :sealed, :skipped, :dead
-- All times are milliseconds of the Redis clock.

local function clock()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

local function number(value)
  return tonumber(value or '0') or 0
end

local function count(books, name, word, by)
  redis.call('HINCRBY', books, string.match(name, '^[^:]*') .. ':' .. word, by or 1)
end

local function note(timeline, ...)
  redis.call('RPUSH', timeline, cjson.encode({...}))
end

-- When the open group at the head of an inbox has been quiet for long enough: milliseconds, at most `limit` after the
-- first event of the group.
local function quiet_at(first_at, last_at, settle, limit)
  return math.min(first_at + limit, last_at + settle)
end
