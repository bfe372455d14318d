"""Faults that are put into the scripts to show that the exploration finds such: one line each."""

from __future__ import annotations

from simulation.explore.mutation import Mutation

# For the promises that all others rest on: one turn at a time, only its holder ends it, a person is heard.
THREE = (
    Mutation(
        "begin",
        "if owner and number(state.lease_until) > now then",
        "if owner and number(state.lease_until) > now + lease_ms then",
        "a conversation is begun although another worker holds it",
    ),
    Mutation(
        "settle",
        "if owner ~= token or owner_fence ~= fence then",
        "if not owner then",
        "a worker without the lease ends the turn that is under way",
    ),
    Mutation(
        "record",
        "kept_back = kept_back or taken_over and 'taken_over'",
        "kept_back = kept_back",
        "an answer goes out although a person has the conversation",
    ),
)

_BEGIN = (
    Mutation(
        "begin",
        "  fence = fence + 1\n",
        "",
        "the fence does not grow",
    ),
    Mutation(
        "begin",
        "if token == state.settled_by or token == state.held_by then",
        "if false then",
        "a begin that comes again after its turn has ended begins another one",
    ),
    Mutation(
        "begin",
        "if state.taken_over and not rare.only_told(kind) and rare.asks(kind) then",
        "if false then",
        "a turn begins although a person has the conversation",
    ),
    Mutation(
        "begin",
        "if number(state.hold_until) > now and not interrupted and unwanted ~= 'taken_over' then",
        "if false then",
        "a hold is not waited for",
    ),
    Mutation(
        "begin",
        "if asked then learn('asks_vanished', number(past.asks_vanished) + 1) end",
        "",
        "a call that a crash has left open is not counted",
    ),
    Mutation(
        "begin",
        "if sent then learn('sends_vanished', number(past.sends_vanished) + 1) end",
        "",
        "a delivery that a crash has left open is not counted",
    ),
    Mutation(
        "begin",
        "local repeated = owner == token",
        "local repeated = false",
        "a begin that is sent again finds its own lease taken",
    ),
    Mutation(
        "begin",
        "redis.call('ZADD', agenda, lease_until, name)",
        "redis.call('ZREM', agenda, name)",
        "a conversation whose worker crashes is on no agenda",
    ),
    Mutation(
        "begin",
        "local unanswered = not past.reply",
        "local unanswered = true",
        "an event whose reply is stored is treated as one without, as long as the turn begins",
    ),
)

_ANSWER = (
    Mutation(
        "record",
        "local answer, wanted = farewell == '', not reply",
        "local answer, wanted = farewell == '', true",
        "a later answer replaces the first",
    ),
    Mutation(
        "record",
        "if not holder then\n  return {'lost', reply or '', id}\nend",
        "",
        "a worker that has lost its lease may deliver",
    ),
    Mutation(
        "record",
        "if ended or not step then",
        "if false then",
        "an answer is stored for an event that has ended",
    ),
    Mutation(
        "record",
        "if holder and step ~= 'delivering' then",
        "if holder and kept_back and step ~= 'delivering' then",
        "a delivery that may have begun is not noted",
    ),
    Mutation(
        "record",
        "if holder and step ~= 'delivering' then",
        "if holder and (kept_back or step ~= 'delivering') then",
        "a delivery that may have begun is noted no longer when a person takes over",
    ),
    Mutation(
        "asking",
        "if lease[1] ~= token or lease[2] ~= fence then return 'lost' end",
        "",
        "a worker that has lost its lease may call",
    ),
    Mutation(
        "asking",
        "if redis.call('HEXISTS', journal, 'reply') == 1 then return 'lost' end",
        "",
        "what was answered meanwhile is asked again",
    ),
    Mutation(
        "asking",
        "if unwanted then return unwanted end",
        "",
        "outreach is asked although the lead has opted out",
    ),
    Mutation(
        "lib/consent",
        "if consent == 'out' and (silence or is_outreach(kind)) then return 'opted_out' end",
        "",
        "outreach goes to a lead who has opted out",
    ),
)

_END = (
    Mutation(
        "settle",
        "return {settled_by == token and 'repeated' or 'lost', 0, 0, 0}",
        "return {'settled', 0, 0, 0}",
        "a worker that settles too late is told that it has settled",
    ),
    Mutation(
        "settle",
        "local ended = {'owner', 'lease_until', 'group'}",
        "local ended = {'owner', 'lease_until'}",
        "the next turn takes as many events as the one before",
    ),
    Mutation(
        "settle",
        "redis.call('ZADD', agenda, now + rare.ring_behind(doorbells, doorbell, grace_ms), name)",
        "rare.ring_behind(doorbells, doorbell, grace_ms)",
        "the next event waits for a doorbell only",
    ),
    Mutation(
        "settle",
        "  redis.call('ZREM', agenda, name)\n  expire_quiet",
        "  expire_quiet",
        "a conversation of which nothing waits stays on the agenda",
    ),
    Mutation(
        "settle",
        "redis.call('LPOP', inbox, group or '0')",
        "redis.call('LPOP', inbox, '1')",
        "of a group only the head leaves the inbox",
    ),
    Mutation(
        "lib/endings",
        "  count(books, name, fate)\n",
        "",
        "a fate is not counted",
    ),
    Mutation(
        "lib/endings",
        "  notice_event(journal, name, now, fate, reason, asked_with, entry)\n",
        "",
        "a fate brings no notice",
    ),
    Mutation(
        "hold",
        "if state[1] ~= token or state[2] ~= fence then",
        "if false then",
        "a worker without the lease holds the turn that is under way",
    ),
    Mutation(
        "hold",
        "redis.call('HDEL', conversation, 'owner', 'lease_until')",
        "",
        "a hold does not let go of the lease",
    ),
    Mutation(
        "hold",
        "redis.call('ZADD', agenda, due + ring * grace_ms, name)",
        "redis.call('ZADD', agenda, now + 864000000, name)",
        "what is held is forgotten for ten days",
    ),
    Mutation(
        "hold",
        "redis.call('HINCRBY', journal, sending and 'send_unknowns' or 'ask_unknowns', 1)",
        "",
        "an unknown outcome is not counted",
    ),
    Mutation(
        "hand_over",
        "redis.call('ZADD', agenda, now, name)",
        "redis.call('ZREM', agenda, name)",
        "what is handed over is on no agenda",
    ),
    Mutation(
        "renew",
        "if lease[1] == token and lease[2] == fence then",
        "if true then",
        "a worker that renews gets the lease",
    ),
)

_DOOR = (
    Mutation(
        "accept",
        "if known[1] and (known[1] ~= 'refused' or known[2]) then",
        "if false then",
        "an event that comes again is another event",
    ),
    Mutation(
        "accept",
        "redis.call('RPUSH', inbox, id)",
        "redis.call('LPUSH', inbox, id)",
        "a later event goes before those that wait",
    ),
    Mutation(
        "accept",
        "write_consent(keys, name, said == 'stop' and 'out' or 'in', 'lead', now, '')",
        "write_consent(keys, name, 'in', 'lead', now, '')",
        "a STOP opts in",
    ),
    Mutation(
        "accept",
        "redis.call('ZADD', agenda, stamp(due), name)",
        "",
        "what is accepted is on no agenda",
    ),
    Mutation(
        "claim",
        "take_over({conversation",
        "local _ = ({conversation",
        "a claim takes nothing over",
    ),
    Mutation(
        "forget",
        "if number(redis.call('HGET', conversation, 'lease_until')) > now then return {'busy', 0, 0, 0} end",
        "",
        "a lead is forgotten in the middle of a turn",
    ),
    Mutation(
        "forget",
        "redis.call('ZREM', agenda, name)",
        "",
        "a forgotten conversation stays on the agenda",
    ),
    Mutation(
        "lib/takeover",
        "if wanted or (whole and index <= group) or",
        "if wanted or",
        "a hand-back drops what is being asked",
    ),
    Mutation(
        "lib/takeover",
        "  redis.call('HDEL', keys.taken_over, name)\n",
        "",
        "a conversation stays in the list of takeovers",
    ),
    Mutation(
        "seal",
        "redis.call('HSET', sealed, name, now)",
        "",
        "a seal is in no list",
    ),
    Mutation(
        "lib/operator",
        "redis.call('LREM', inbox, 1, id)",
        "",
        "a word of a person waits twice",
    ),
    Mutation(
        "say",
        "count(books, name, 'accepted')",
        "",
        "a word of a person is not counted",
    ),
    Mutation(
        "ring",
        "ring(name, lane, entry[2])",
        "redis.call('ZADD', agenda, now + FAR, name)",
        "beat dispatches no doorbell for events that wait",
    ),
)

# Further ones, which the tests of the scripts find as well.
_MORE = (
    Mutation(
        "begin",
        "if index > 1 and (fields[1] == 'no' or size",
        "if index > 1 and (size",
        "what is no chat is asked together with chats",
    ),
    Mutation(
        "record",
        "learned[5], learned[6] = 'reply_id', at .. ' ' .. id",
        "local _ = 0",
        "a stored answer has no name of its own",
    ),
    Mutation(
        "record",
        "first_write('HSET', conversation, 'lease_until', lease_until)",
        "",
        "a stored answer does not renew the lease",
    ),
    Mutation(
        "settle",
        "local own = (index > 1 and fate == 'answered') and 'joined' or fate",
        "local own = fate",
        "what was joined counts as answered",
    ),
    Mutation(
        "settle",
        "  learn('group', group_aside)\n",
        "",
        "a word of a person makes another group of what was asked",
    ),
    Mutation(
        "hold",
        "elseif not step[2] and not step[3] and not step[4] then",
        "else",
        "what may have been asked is asked again with more events",
    ),
    Mutation(
        "hold",
        "redis.call('HSET', journal, 'step', step[2] and 'replied' or 'waiting')",
        "",
        "a call that was refused counts as one without an answer",
    ),
    Mutation(
        "forget",
        "count_out(opted_out, name, string.match(kept or '', '^%l+'), nil)",
        "",
        "a forgotten lead is still counted as opted out",
    ),
    Mutation(
        "forget",
        "redis.call('HDEL', taken_over, name)",
        "",
        "a forgotten conversation stays in the list of takeovers",
    ),
    Mutation(
        "lib/fences",
        "  redis.call('SET', fence_key(conversation), stamp(highest), 'PX', '86400000')\n",
        "",
        "after a lead was forgotten, fences begin again",
    ),
    Mutation(
        "hold",
        "if state[6] and not by_operator(head[1]) and bring_forward(",
        "if false and bring_forward(",
        "what a person says waits for what is held",
    ),
    Mutation(
        "record",
        "or step == 'replied' and id == token and 'taken_over' or nil",
        "or nil",
        "an answer that was kept for a person counts as being delivered, by a late copy of what stored it",
    ),
)

MANY = (*THREE, *_BEGIN, *_ANSWER, *_END, *_DOOR, *_MORE)
