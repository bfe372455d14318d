-- Put before every script. Keys of one call share one hash tag: one shard, one slot.
--
-- conversation HASH  owner, lease_until, fence      the lease: token, milliseconds, number that only grows
--                    hold_until, hold_reason        leave the head in place until then
--                    awaited                        fence of the holder that was waited for after its lease had run out
--                    settled_by, held_by            token of the turn that last ended by settling, by holding
--                    group                          how many events at the head are asked together, once asked
--                    channel                        JSON, the latest channel context (content)
--                    started                        1 once the persona has answered this lead
--                    sealed, owned_elsewhere        milliseconds when we learned it
--                    last_inbound                   milliseconds of the last accepted inbound chat
--                    plan, plan_step                number of the current follow-up plan, its step (0 = the first)
--                    quiet_from                     milliseconds of the delivery that the cadence counts from
--                    touch_at, touch_rule           when the next touch is meant to be, and why then; follow_ups says
--                                                   when it is looked at
--                    touch_event, touch_requested   JSON of the follow-up that a producer asked for (content), its not_before
--                    touches                        follow-ups accepted for this lead so far
--                    rings                          doorbells rung since the last look
--                    last_rank, answered_rank       the highest rank given, and the highest that was answered
--                    taken_over, taken_over_at      why a person has the conversation, milliseconds since when
--                    handed_back_by                 name of the last call that handed it back, how many events it dropped
--                    sealed_by, sealing             operator and reason of a seal; name of the last call that sealed or opened
-- inbox        LIST  event ids in the order of acceptance
-- journal      HASH  kind, payload (content), accepted_at (or replayed), first_accepted_at (when replayed)
--                    (payload, image_url and reply end with an event that is not dead)
--                    own_channel (1: the payload brings a channel context)
--                    joining (open, closing, no), size
--                    step (waiting, asking, replied, delivering, settled), first_begun_at
--                    asks, ask_unknowns, asks_vanished, sends, send_unknowns, sends_vanished
--                    asks_handed_over, sends_handed_over (of those that vanished: their process was told to end)
--                    bubbles_sent (of a paced reply: surely sent; first_begun_at, sends ... are those of the next one)
--                    image_url (hosted; content), reply (content), replied_at, farewell (1: the reply is no answer),
--                    fate, reason, detail (content), settled_at
--                    rank (of a dead event: number in the order of ending, which is that of acceptance; replay finds
--                    its place by it), asked_with (of a dead event: head of its group), discarded_at
--                    members (of a head whose group died: ids of the others, separated by spaces)
--                    replayed_by (name of the last call), replayed_as (of a refused event: id it was accepted under)
-- agenda       ZSET  conversation -> milliseconds when to look at it next
-- ready        ZSET  conversation -> milliseconds of acceptance of its head, an opener or a follow-up that may be rung for
-- persona      HASH  its gates, the same in all shards: paused, quarantined, outreach (reasons), hold_..., circuit_...,
--                    credits_... (until, interval, reason)
-- ramp         HASH  settings (of the ramp that holds), since (first opener), next (next free moment), delay (how late
--                    the schedule runs: added to every moment), woken (settings whose conversations were woken),
--                    waking_until, stopped_by (the opener whose outcome closed the gate "outreach")
-- moments      ZSET  opener ("<event id> <conversation>") -> its moment in the schedule
-- gone         ZSET  opener -> milliseconds when the ramp let it go
-- outcomes     LIST  the last openers' outcomes, newest first: "bad <opener>" or "good <opener>"
-- timeline     LIST  JSON arrays [milliseconds, word, ...], no content
-- books        HASH  <persona>:accepted, :answered, :joined, :ignored, :sealed, :skipped, :dead
-- Content is opaque to scripts: it can be encrypted (worker/store/content.py), the same text always alike.
-- All times are milliseconds of the Redis clock.

local function clock()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

-- While its memory is full (maxmemory, noeviction), Redis decides by the first write of a script whether the script runs:
-- after a write that is allowed then (DEL) all others are, too; a write that is denied then (LPUSHX) ends the script with
-- nothing changed. So each script that writes says at its first write which of the two it is, or calls one of these before
-- it. The key never exists, so that both commands change nothing. `key`: any key of the slot.
local function nothing(key)
  return string.match(key, '^[^}]*}') .. ':nothing'
end

-- For what brings begun work to its end, gives back a right or closes a gate: a full store must not keep it from that, or
-- the work is done again.
local function finish_even_when_full(key)
  redis.call('DEL', nothing(key))
end

-- For what brings new work, which a full store might not let finish.
local function begin_only_with_room(key)
  redis.call('LPUSHX', nothing(key), '')
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

-- For how long nobody rings again for a conversation whose doorbell comes last in this queue: a doorbell that waits its
-- turn is not lost. 10 ms for each one in front of it, which is 100 a second.
local function grace_behind(queue, grace)
  return tonumber(grace) + 10 * redis.call('LLEN', queue)
end

-- Give one event its fate: journal, retention, books. Whoever calls takes it off the inbox. Only who is dead can be
-- replayed: of all others nobody needs what was said, which is most of their memory.
local function end_event(journal, books, name, fate, reason, now, retention)
  redis.call('HSET', journal, 'fate', fate, 'reason', reason, 'step', 'settled', 'settled_at', now)
  if fate ~= 'dead' then redis.call('HDEL', journal, 'payload', 'reply', 'image_url') end
  redis.call('PEXPIRE', journal, retention)
  count(books, name, fate)
end

-- A group that died with its reply is replayed by its head: whoever was asked with it ends with it. Returns how many,
-- and their highest rank.
local function end_members(prefix, books, dead, name, head_id, fate, reason, now, retention)
  local own = fate == 'answered' and 'joined' or fate
  local ended, highest = 0, 0
  local head = redis.call('HMGET', prefix .. head_id .. ' ' .. name, 'members', 'replied_at')
  for id in string.gmatch(head[1] or '', '%S+') do
    local journal = prefix .. id .. ' ' .. name
    local letter = redis.call('HMGET', journal, 'fate', 'asked_with', 'settled_at', 'rank')
    -- A reply from after their common death is to the head's words alone.
    local same_reply = head[2] and number(head[2]) <= number(letter[3])
    if letter[1] == 'dead' and letter[2] == head_id and same_reply then
      end_event(journal, books, name, own, reason, now, retention)
      redis.call('HDEL', journal, 'asked_with', 'discarded_at')
      count(books, name, 'dead', -1)
      redis.call('ZREM', dead, id .. ' ' .. name)
      ended, highest = ended + 1, math.max(highest, number(letter[4]))
    end
  end
  return ended, highest
end

-- When a takeover ends by itself: milliseconds after the last that was heard of the lead; nil = only by hand. What
-- waits first may have come when the takeover had been over for long.
local function takeover_end(taken_over_at, last_inbound, first_waiting, quiet)
  if quiet == 0 then return nil end
  if first_waiting >= taken_over_at + quiet then return taken_over_at + quiet end
  return math.max(taken_over_at, last_inbound) + quiet
end

-- The lane of a conversation: `outreach` when the persona is to speak first, `turns` when a lead waits; an opener or a
-- follow-up whose lead has written since only gives way to the message behind it.
local function lane_of(kind, accepted_at, last_inbound)
  local speaks_first = kind == 'ai_opener' or kind == 'follow_up'
  return (speaks_first and number(last_inbound) < number(accepted_at)) and 'outreach' or 'turns'
end

-- Whether a hold of an opener or a follow-up is for a better moment, which is not kept from what comes in meanwhile.
local function for_its_moment(reason)
  return reason == 'quiet hours' or reason == 'outreach ramp'
end

-- Outreach is not rung for at once: `ring.lua` takes a bounded number at each tick, in the order of acceptance. Should
-- its entry ever be lost, the agenda puts it there again.
local function make_ready(ready, agenda, name, accepted_at, now)
  redis.call('ZADD', ready, number(accepted_at), name)
  redis.call('ZADD', agenda, now + 3600000, name)
end

-- When the open group at the head of an inbox has been quiet for long enough: milliseconds, at most `limit` after the
-- first event of the group.
local function quiet_at(first_at, last_at, settle, limit)
  return math.min(first_at + limit, last_at + settle)
end
