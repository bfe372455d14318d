-- Put before every script. Keys of one call share one hash tag: one shard, one slot.
--
-- conversation HASH  owner, lease_until, fence      the lease: token, milliseconds, number that only grows
--                    hold_until, hold_reason        leave the head in place until then
--                    interruptible                  1 while that is the pause between two bubbles, which a message of the lead ends
--                    awaited                        fence of the holder that was waited for after its lease had run out
--                    settled_by, held_by            token of the turn that last ended by settling, by holding
--                    group                          how many events at the head are asked together, once asked
--                    channel                        JSON, the latest channel context (content)
--                    started                        1 once the persona has answered this lead
--                    sealed, owned_elsewhere        milliseconds when we learned it
--                    last_inbound                   milliseconds of the last accepted inbound chat
--                    seq                            number of the event that was accepted last; only grows, from the clock
--                                                   of the first one on
--                    inbound_seq                    "<number> <last_inbound>" of the last inbound chat; void when its time
--                                                   is not that of last_inbound (a process of 0.1.0 accepted a later one)
--                    plan, plan_step                number of the current follow-up plan, its step (0 = the first)
--                    quiet_from                     milliseconds of the delivery that the cadence counts from, 0 = none
--                    touch_at, touch_rule           when the next touch is meant to be, and why then; follow_ups says
--                                                   when it is looked at
--                    touch_event, touch_requested   JSON of the follow-up that a producer asked for (content), its not_before
--                    touches                        follow-ups accepted for this lead so far
--                    rings                          doorbells rung since the last look
--                    rung_at                        milliseconds of the last doorbell in the lane of outreach
--                    last_rank, answered_rank       the highest rank given, and the highest that was answered
--                    taken_over, taken_over_at      why a person has the conversation, milliseconds since when
--                    handed_back_by                 name of the last call that handed it back, how many events it dropped
--                    probing                        the closed gate that this conversation may try, until when (ms), token
--                                                   of the turn that does
--                    last_words                     keyed digest of the lead's words that were answered last, where the
--                                                   persona's server is silent when they come again
--                    consent                        what the lead has said last: out, or in (lua/lib/consent.lua)
--                    confirmed                      milliseconds of the opt-out that a word was accepted for (its confirmation)
--                    sealed_by, sealing             operator and reason of a seal; name of the last call that sealed or opened
--                    noticed                        sequence of the last notice about it (lua/lib/notices.lua)
--                    operator_words                 1 while something may wait that a person says in the persona's place
--                    group_aside                    what `group` was before such an event came in front (lua/lib/operator.lua)
--                    last_said                      milliseconds of the last of them
-- inbox        LIST  event ids in the order of acceptance
-- journal      HASH  kind, payload (content), accepted_at (or replayed), first_accepted_at (when replayed)
--                    (payload, image_url and reply end with an event that is not dead)
--                    accepted_as (earlier values of accepted_at, which a step of the clock made sooner)
--                    seq (its number in the order of acceptance; no event of 0.1.0 has one)
--                    own_channel (1: the payload brings a channel context)
--                    ref (of a follow-up that was pulled: its name at FluidTalk)
--                    joining (open, closing, no), size
--                    derived_from (of an event whose id Parley made, or looks as if: the message that it is a further
--                    image of, "replay <letter>", or nothing when it is a producer's own)
--                    said (of a message that opts out: "stop" when it brings the confirmation, else "again"; "anyway" of
--                    what a person says although the lead has opted out)
--                    step (waiting, begun, asking, replied, delivering, settled); begun: not asked yet
--                    first_begun_at (written and read by 0.1.0 only)
--                    failures, failures_ms, failed (failed attempts of the present step: those that count against the
--                    event, their pauses; the last one: milliseconds, what, pause ms, limit, why)
--                    asks, ask_unknowns, asks_vanished, sends, send_unknowns, sends_vanished
--                    asks_handed_over, sends_handed_over (of those that vanished: their process was told to end, or made no call)
--                    not_called (tokens of the last turns that said so)
--                    stumbles (turns that an error of our own ended: how many, how many count against the event, answers of
--                    the persona at the last one, token of its turn)
--                    killed_alone (processes that died of it while they had nothing else in hand: how many, token of the
--                    last turn)
--                    bubbles_sent (of a paced reply: surely sent; failures, sends ... are those of the next one)
--                    image_url (hosted; content), reply (content), replied_at, farewell (1: the reply is no answer),
--                    reply_id (replied_at and the token of the turn that brought the reply: its name for the channel;
--                    none while workers run that do not know it)
--                    fate, reason, detail (content), settled_at
--                    rank (of a dead event: number in the order of ending, which is that of acceptance; replay finds
--                    its place by it), asked_with (of a dead event: head of its group), discarded_at
--                    members (of a head whose group died: ids of the others, separated by spaces)
--                    alone (of such a head: 0 = its reply is that of the group; 1 = it was replayed without one, so its
--                    reply is to its own words. 0.1.0 writes none)
--                    replayed_by (name of the last call that replayed or discarded it), replayed_as (of a refused event: id
--                    it was accepted under), replayed_with (of one that ends with the head of its group: that head)
--                    digest (of a refused payload, whole, as it would be stored: SHA-1), whole_bytes (of a refused
--                    payload that was cut: how many it had)
-- agenda       ZSET  conversation -> milliseconds when to look at it next
-- conversations ZSET conversation -> milliseconds of the last accepted event
-- ready        ZSET  conversation -> milliseconds of acceptance of its head, an opener or a follow-up that became ready
--                    since the last tick
-- queued       SET   personas that have a queue or parked conversations here
-- queue        ZSET  conversation -> its place: acceptance of its head, or later when it gave way to others of its persona
-- parked       ZSET  conversation of a persona that a worker did not know -> milliseconds since when it is due
-- rung         ZSET  conversation -> milliseconds when its outreach was last rung for, until a worker looked at it
-- persona      HASH  its gates, the same in all shards: paused, quarantined, outreach (reasons), hold_..., circuit_...,
--                    credits_... (until, interval, reason; until: the next try, and the gate is closed as long as it is
--                    there); in its home shard also credits_failed_by (the last try that failed) and
--                    succeeded_at (milliseconds of the last call that succeeded, some seconds late)
-- channel      HASH  the same for what all replies go through: channel_..., succeeded_at
-- waiting      ZSET  conversation -> since when it waits, or tried last; from LAST_TO_TRY on: not to be repeated
-- errands      ZSET  what has to be done for an owner in this shard -> milliseconds when it is due:
--                    "probe <gate> <owner>", "open <gate> <owner>", "places calls <persona>", "consent lead <conversation>"
-- running      ZSET  token of a call, or "for <conversation>" (a place that is kept for it) -> milliseconds of its end
-- line         ZSET  conversation that waits for a place -> milliseconds since when its head waits
-- ramp         HASH  settings (of the ramp that holds), since (first opener), next (next free moment), delay (how late
--                    the schedule runs: added to every moment), woken (settings whose conversations were woken),
--                    waking_until, stopped_by (the opener whose outcome closed the gate "outreach"), resumed_at (when a
--                    person last opened that gate: openers begun before are not counted)
-- moments      ZSET  opener ("<event id> <conversation>") -> its moment in the schedule
-- gone         ZSET  opener -> milliseconds when the ramp let it go
-- outcomes     LIST  the last openers' outcomes, newest first: "bad <opener>" or "good <opener>"
-- told         ZSET  message to a lead, of any persona ("<event id> <conversation>") -> milliseconds when it was reserved or sent
-- told_reserved ZSET those that may not have been sent -> milliseconds when their reservation ends
-- pulled       ZSET  name of a follow-up that was pulled -> inf while it has no fate; milliseconds of the next try to
--                    acknowledge it; minus the milliseconds when that was done (kept for a day)
-- timeline     LIST  JSON arrays [milliseconds, word, ...], no content
-- refused      ZSET  letter of a refused event ("<event id> <conversation>") -> milliseconds when it was refused
-- refused:<conversation>  ZSET  event id of such a letter -> the same
-- only_counted HASH  <persona> (a configured one, or -) -> refused events of which no letter is kept; :last = SHA-1 of
--                    the last of them
-- consents     HASH  conversation -> "out" or "in", milliseconds since when, who said it
-- consents_of_leads HASH  handle of a lead -> the same, for all personas; in the lead's own shard
-- opted_out    HASH  persona -> how many of its leads are out in `consents`; * -> in `consents_of_leads`
-- erased_consents HASH  keyed hash of the name of an erased conversation, or of an erased lead's handle -> the same
-- books        HASH  <persona>:accepted, :answered, :joined, :ignored, :sealed, :skipped, :dead
-- processes    ZSET  process that runs turns here (the part of their tokens before the -) -> milliseconds until when it is
--                    taken to live (lua/lib/deaths.lua)
-- watched      TEXT  milliseconds of the last look for their signs
-- clock        TEXT  the latest time that a script of this shard has seen, to about two seconds (lua/lib/clock.lua)
-- notices, notices_kept, noticed: lua/lib/notices.lua; done: lua/lib/repeated.lua; fence: lua/lib/fences.lua
-- Content is opaque to scripts: it can be encrypted (worker/store/encryption.py), the same text always alike.
-- All times are milliseconds of the Redis clock.
-- What scripts know of the words of worker/domain/vocabulary.py, such as speaks_first(kind), is made by worker/store/redis/lua_words.py.

local LAST_TO_TRY = 1000000000000000

-- The time that `clock` has read last, and its text.
local read_ms, read_text

local function clock()
  local t = redis.call('TIME')
  read_text = t[1] .. string.sub('00000' .. t[2], -6, -4)
  read_ms = read_text + 0
  return read_ms
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

-- A time, or another whole number from 0 on, as Redis writes the numbers that a script passes to it. Its own way costs a
-- large part of a command, so the scripts of each turn also pass '1' and not 1; and a time is too large for a %d of some
-- builds.
local function stamp(time)
  if time == read_ms then return read_text end
  if time < 1000000 then return tostring(time) end
  return string.format('%d%03d', math.floor(time / 1000), time % 1000)
end

local function number(value)
  return value and tonumber(value) or 0
end

-- A hash by the names of its fields, and as a list of names and values, but for the fields `without` (names, as keys).
local function hash(key, without)
  local fields, list, kept, last = {}, redis.call('HGETALL', key), {}, 0
  for index = 1, #list, 2 do
    local field, value = list[index], list[index + 1]
    fields[field] = value
    if without and not without[field] then
      kept[last + 1], kept[last + 2] = field, value
      last = last + 2
    end
  end
  return fields, kept
end

local function count(books, name, word, by)
  redis.call('HINCRBY', books, string.match(name, '^[^:]*') .. ':' .. word, by or '1')
end

-- Returns how long the timeline is now.
local function note(timeline, ...)
  return redis.call('RPUSH', timeline, cjson.encode({...}))
end

-- The same for what is JSON already, without its brackets: the server's encoder costs more than the write, and each turn
-- notes four lines.
local function note_json(timeline, line)
  return redis.call('RPUSH', timeline, '[' .. line .. ']')
end

-- Put a doorbell last into this queue. Returns for how long no other doorbell is sent for its conversation: a doorbell that waits
-- its turn is not lost. 10 ms for each one in front of it, which is 100 a second; but a minute at most, because the queue may
-- be lost with all that is in it, however long it is.
local function ring_behind(queue, doorbell, grace)
  return grace + math.min(10 * (redis.call('LPUSH', queue, doorbell) - 1), 60000)
end

-- The indexes of refused letters: of the shard, of one conversation. Made from the journal prefix, so in the same slot.
local function refused_indexes(journal_prefix, name)
  local all = string.sub(journal_prefix, 1, -1 - #'journal:') .. 'refused'
  return all, all .. ':' .. name
end

-- A refused letter has been dealt with: another one may be kept in its place.
local function make_room(journal_prefix, id, name)
  local all, own = refused_indexes(journal_prefix, name)
  redis.call('ZREM', all, id .. ' ' .. name)
  redis.call('ZREM', own, id)
end

-- The follow-ups of a conversation's persona that were pulled, in this shard. `key`: any key of the shard.
local function pulled_of(key, name)
  return string.match(key, '^[^}]*}') .. ':pulled:' .. string.match(name, '^[^:]*')
end

-- Whether the reply that a head has is that of its group, from before their common death. Only for a group that died
-- with 0.1.0 the times decide.
local function is_of_group(replied_at, alone, died_at)
  if alone then return replied_at and alone == '0' end
  return replied_at and number(replied_at) <= number(died_at)
end

-- What the person who has a conversation did last: took it over, or said something.
local function last_act(taken_over_at, last_said)
  return math.max(number(taken_over_at), number(last_said))
end

-- When a takeover ends by itself: milliseconds after the last that was heard of the lead or the person (`acted_at`); nil =
-- only by hand. What waits first may have come when the takeover had been over for long.
local function takeover_end(acted_at, last_inbound, first_waiting, quiet)
  if quiet == 0 then return nil end
  if first_waiting >= acted_at + quiet then return acted_at + quiet end
  return math.max(acted_at, last_inbound) + quiet
end

-- Whether an event was known by this time of acceptance when a turn began: then it is the same event, and not another one
-- that got its id since.
local function is_accepted_as(at, accepted_at, first_accepted_at, accepted_as)
  return at == accepted_at or at == first_accepted_at or string.find(accepted_as or '', at .. ' ', 1, true) ~= nil
end

-- Whether the lead wrote after an event was accepted. The order of acceptance decides, because a clock can step back. What
-- 0.1.0 has accepted has no number: then the times decide.
local function lead_wrote_since(accepted_at, seq, last_inbound, inbound_seq)
  local lead_seq, at = string.match(inbound_seq or '', '^(%d+) (%d+)$')
  if seq and lead_seq and at == last_inbound then return tonumber(lead_seq) > tonumber(seq) end
  return number(last_inbound) >= number(accepted_at)
end

-- The lane of a conversation: `outreach` when the persona is to speak first, `turns` when a lead waits; an opener or a
-- follow-up whose lead has written since only gives way to the message behind it.
-- `head`: its kind, accepted_at, seq. `lead`: last_inbound, inbound_seq of the conversation.
local function lane_of(head, lead)
  local outreach = speaks_first(head[1]) and not lead_wrote_since(head[2], head[3], lead[1], lead[2])
  return outreach and 'outreach' or 'turns'
end

-- Outreach is not rung for at once: `ring.lua` moves it into the queue of its persona, and a bounded number of all queues
-- is rung for at each tick. Should its entry ever be lost, the agenda puts it there again.
local function make_ready(ready, agenda, name, accepted_at, now)
  redis.call('ZADD', ready, number(accepted_at), name)
  redis.call('ZADD', agenda, now + 3600000, name)
end

-- Whether an opener or a follow-up at the head must not keep an event of the kind `to` waiting: because nothing holds it but
-- its place in line, or because it was never asked and what it is held for ends with this event: any hold when the lead
-- wrote, a better moment when something happened on the platform.
local function yields_to(to, conversation, inbox, journal_prefix, name, now)
  local state = redis.call('HMGET', conversation, 'lease_until', 'hold_until', 'hold_reason')
  local head = redis.call('HMGET', journal_prefix .. redis.call('LINDEX', inbox, 0) .. ' ' .. name, 'kind', 'asks', 'reply')
  if not speaks_first(head[1]) or number(state[1]) > now then return false end
  if number(state[2]) <= now then return true end
  local never_asked = number(head[2]) == 0 and not head[3]
  return never_asked and (to == 'inbound_chat' or for_its_moment(state[3]))
end

-- When the open group at the head of an inbox has been quiet for long enough: milliseconds, at most `limit` after the
-- first event of the group. No event is from later than now, whatever the clock said when it was accepted.
local function quiet_at(first_at, last_at, settle, limit, now)
  return math.min(first_at + limit, last_at + settle, now + settle)
end
