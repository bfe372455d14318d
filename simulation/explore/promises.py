"""What is promised of each step: of a grant, of a call, and of what is stored afterwards (docs/architecture.md, 2)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from simulation.explore.client import Command
from simulation.explore.ledger import Accepted, Ledger, Stop, Violation
from simulation.explore.look import Look
from simulation.explore.replay import Ask
from simulation.explore.values import replace
from simulation.explore.world import Running, World
from worker.domain.conversation import Conversation
from worker.domain.vocabulary import is_outreach, rules_of
from worker.store.conversations.turn_steps import Grant

_Stored = dict[str, dict[str, str]]


def of_grant(world: World, grant: Grant, *, repeated: bool) -> World:
    """The fence grows with each turn, and what is granted stands at the front of the inbox."""
    name, fences = grant.conversation.name, world.ledger.fences
    before = fences.get(name, 0)
    if grant.fence <= before and not (repeated and grant.fence == before):
        raise Violation(f"the fence of {name} does not grow: {grant.fence} after {before}")
    ends_early = grant.interrupted or grant.unwanted or rules_of(grant.head.kind).by_operator
    if world.holds.get(name, 0) > world.now and not repeated and not ends_early:
        raise Violation(f"{name} is held for {world.holds[name] - world.now} ms more, and a turn begins")
    return replace(world, ledger=replace(world.ledger, fences={**fences, name: grant.fence}))


def of_ask(world: World, turn: Running, name: str, request: Ask, *, late: bool) -> None:
    """The persona is asked by one worker, in order, for nothing that is answered, stopped or the lead's STOP.

    ``late``: a frozen process lets out a call that it had begun; of these nothing is promised.
    """
    if late:
        return
    ledger = world.ledger
    _alone(world, turn, name)
    for event_id in request.events:
        reply = ledger.replies.get(event_id)
        if reply and reply[1] < turn.stored:
            raise Violation(f"the persona is asked for {event_id}, whose answer is stored")
        if event_id in ledger.fates:
            raise Violation(f"the persona is asked for {event_id}, which has ended as {ledger.fates[event_id]}")
    _in_order(ledger, turn.lead, request.events)
    _one_group(ledger, request)
    events = {event.event_id: event for event in ledger.events}
    if any(events[event_id].said == "stop" for event_id in request.events):
        raise Violation(f"the persona is asked to answer a STOP: {' '.join(request.events)}")
    _not_stopped(ledger, turn.lead, "taken_over", turn.begun, "asked")
    _not_stopped(ledger, turn.lead, "sealed", turn.begun, "asked")
    if is_outreach(request.kind):
        _not_stopped(ledger, turn.lead, "opted_out", turn.stored, "asked")


def of_send(world: World, turn: Running, name: str, *, late: bool) -> None:
    """A reply goes out by one worker, and not after a takeover or, if it is outreach, after a STOP."""
    if late:
        return
    ledger = world.ledger
    _alone(world, turn, name)
    kind = turn.grant.head.kind
    if not rules_of(kind).by_operator:
        _not_stopped(ledger, turn.lead, "taken_over", turn.stored, "sent")
    if is_outreach(kind):
        _not_stopped(ledger, turn.lead, "opted_out", turn.stored, "sent")


def of_begin(before: Look, now: int, lead: Conversation, token: str, granted: bool) -> None:
    """Who begins again, because it did not hear the answer, has the lease that it got."""
    state = before.conversations.get(lead.name, {})
    if state.get("owner") == token and int(state.get("lease_until", "0")) > now and not granted:
        raise Violation(f"{token} holds {lead.name}, begins again and is not granted its turn")


def of_script(before: Look, after: Look, now: int, turn: Running, script: str, answer: Any, ttl_ms: int) -> None:
    """A worker that has lost its lease changes nothing but the first answer; one that has ended its turn has let go.

    A worker that may deliver has its whole lease (``ttl_ms``) from now on.
    """
    name, said = turn.lead.name, str(answer[0] if isinstance(answer, list) else answer)
    if script not in _OF_HOLDERS:
        return
    state = before.conversations.get(name, {})
    if (state.get("owner"), state.get("fence")) == (turn.grant.token, str(turn.grant.fence)):
        _let_go(after, now, turn, script)
        if (
            said == "holder"
            and int(after.conversations[name]["lease_until"]) <= int(state["lease_until"]) < now + ttl_ms
        ):
            raise Violation(f"{turn.grant.token} may deliver, and its lease is not renewed")
        return
    if said not in _OF_HOLDERS[script]:
        raise Violation(f"{turn.grant.token} has lost its lease, and {script} says {said}")
    changed = _changed(_lasting(before), _lasting(after), _MAY_CHANGE.get(script, frozenset()))
    if changed:
        raise Violation(f"{turn.grant.token} has lost its lease, and {script} has changed {'; '.join(changed)}")


def _let_go(after: Look, now: int, turn: Running, script: str) -> None:
    name, token = turn.lead.name, turn.grant.token
    if script in ("settle", "hold") and "owner" in after.conversations.get(name, {}):
        raise Violation(f"{script} of {token} has ended its turn, and {name} still has a holder")
    due = after.agenda.get(name, now) - now
    waiting = after.inboxes.get(name, ())
    said = [event_id for event_id in waiting if after.journals[event_id, name].get("kind") == "operator_message"]
    if script == "hold" and said and said[0] != turn.grant.head.event_id:
        at_once = waiting[0] == said[0] and due <= _RING_AGAIN_MS
        if not at_once:
            raise Violation(f"{token} holds {name} for {due} ms, and what a person says waits for it")
    # Outreach is rung for in its own way.
    if script == "settle" and _RING_AGAIN_MS < due < _FAR_MS:
        raise Violation(f"{token} has settled, and what {name} has left is looked at in {due} ms only")


# A doorbell that was lost is sent again after 4 s and a little; a conversation of outreach is looked at after an hour.
_RING_AGAIN_MS, _FAR_MS = 4_100, 3_600_000
# What each script may say to a worker that has lost its lease.
_OF_HOLDERS = {
    "settle": ("lost", "repeated"),
    "hold": ("lost", "repeated"),
    "asking": ("lost",),
    "record": ("lost", "settled"),
    "renew": ("lost",),
}
_MAY_CHANGE = {"record": frozenset({"reply", "replied_at", "reply_id", "failures", "failures_ms", "failed"})}
_MAY_CHANGE["record"] |= {"farewell", "sends", "sends_handed_over"}


def of_repetition(before: Look, after: Look, script: str) -> None:
    """A script that comes again for one call changes nothing; it may renew the lease."""
    changed = _changed(_lasting(before), _lasting(after), frozenset())
    if changed:
        raise Violation(f"{script} that came again has changed {'; '.join(changed)}")


def of_hand_back(before: Look, after: Look, now: int, lead: Conversation) -> None:
    """What a turn is asking about or delivering at this moment keeps its place at a hand-back."""
    state = before.conversations.get(lead.name, {})
    if "owner" not in state or int(state.get("lease_until", "0")) <= now:
        return
    at_work = before.inboxes.get(lead.name, ())[: int(state.get("group", "0"))]
    dropped = [event_id for event_id in at_work if event_id not in after.inboxes.get(lead.name, ())]
    if dropped:
        raise Violation(f"a hand-back of {lead.name} drops {' '.join(dropped)}, and a turn is at work on it")


def _changed(was: _Stored, found: _Stored, may_change: frozenset[str]) -> list[str]:
    return [
        f"{key} {field}: {was.get(key, {}).get(field)} -> {found.get(key, {}).get(field)}"
        for key in sorted(key for key in was.keys() | found.keys() if was.get(key) != found.get(key))
        for field in sorted(was.get(key, {}).keys() | found.get(key, {}).keys())
        if was.get(key, {}).get(field) != found.get(key, {}).get(field) and field not in may_change
    ]


def _lasting(look: Look) -> _Stored:
    lasting: _Stored = {}
    for key, (kind, content) in look.keys.items():
        if kind == "hash":
            fields = {name: value for name, value in look.hash(key).items() if name != "lease_until"}
            lasting[key] = fields
        elif kind in ("list", "set"):
            lasting[key] = {str(place): value for place, value in enumerate(content)}
        elif kind == "zset":
            lasting[key] = dict.fromkeys(look.scores(key), "")
    return lasting


def _alone(world: World, turn: Running, name: str) -> None:
    for other in world.workers:
        own = other.turn
        if other.name == name or own is None or own.lead != turn.lead or _has_ended(own):
            continue
        if not own.came.lost and world.passed < own.came.valid_until:
            raise Violation(f"workers {name} and {other.name} both hold {turn.lead.name}, and {name} makes a call")


def _has_ended(turn: Running) -> bool:
    # In the store it has let go of its lease, and it makes no further call.
    return turn.unheard and isinstance(turn.came.request, Command) and turn.came.request.name in ("settle", "hold")


def _one_group(ledger: Ledger, request: Ask) -> None:
    kinds = {event.event_id: event.kind for event in ledger.events}
    if len(request.events) > 1 and any(kinds[event_id] != "inbound_chat" for event_id in request.events):
        raise Violation(f"{' '.join(request.events)} are asked together, and not all of them are chats")
    for call in ledger.calls:
        if call.kind == "ask" and call.acted and call.events[0] == request.events[0] and call.events != request.events:
            raise Violation(f"{' '.join(call.events)} was asked, and {' '.join(request.events)} is asked in its place")


def _in_order(ledger: Ledger, lead: Conversation, events: tuple[str, ...]) -> None:
    place = {event.event_id: index for index, event in enumerate(ledger.of(lead))}
    heard = [place[event_id] for event_id in ledger.heard(lead) if event_id in place]
    latest = max(heard, default=-1)
    for event_id in events:
        own = place[event_id]
        if own not in heard and own < latest:
            raise Violation(f"{event_id} is overtaken: the persona has heard a later one of {lead.name}")
        latest = max(latest, own)


def _not_stopped(ledger: Ledger, lead: Conversation, stop: Stop, let_go_on: int, verb: str) -> None:
    since = ledger.since.get((lead, stop))
    if since is not None and since < let_go_on:
        word = stop.replace("_", " ")
        raise Violation(f"{lead.name} is {verb} although it was {word} when the store let the turn go on")


def of_store(world: World, look: Look) -> World:
    """All that must be true of the store after each step. Returns the world with what was seen."""
    ledger = world.ledger
    fates, replies = dict(ledger.fates), dict(ledger.replies)
    waits = {(event_id, name) for name, ids in look.inboxes.items() for event_id in ids}
    for event in ledger.events:
        if event.event_id not in ledger.forgotten:
            _one_fate(event, look, fates, waits)
            _first_reply(event, look, replies, ledger.step)
    _agenda(look)
    _books(ledger, look, fates)
    _order(ledger, look)
    _indexes(look)
    leads = tuple(sorted({event.lead for event in ledger.events if look.inboxes.get(event.lead.name)}))
    due = tuple(sorted(look.agenda.values()))
    holds = {name: int(state["hold_until"]) for name, state in look.conversations.items() if "hold_until" in state}
    ledger = replace(ledger, fates=fates, replies=replies)
    return replace(world, ledger=ledger, waiting=leads, due=due, holds=holds)


def _one_fate(event: Accepted, look: Look, fates: dict[str, str], waits: set[tuple[str, str]]) -> None:
    key = (event.event_id, event.lead.name)
    journal = look.journals.get(key)
    if journal is None:
        raise Violation(f"{event.event_id} was accepted, and nothing is stored of it")
    fate = journal.get("fate")
    if (fate is None) != (key in waits):
        state = f"has the fate {fate} and waits" if fate else "has no fate and does not wait"
        raise Violation(f"{event.event_id} {state}")
    if fate not in (None, "dead") and {"payload", "reply"} & journal.keys():
        raise Violation(f"{event.event_id} has the fate {fate}, and what was said is still stored")
    before = fates.get(event.event_id)
    if before and before != fate:
        raise Violation(f"{event.event_id} had the fate {before} and has {fate}")
    if fate:
        fates[event.event_id] = fate


def _first_reply(event: Accepted, look: Look, replies: dict[str, tuple[str, int]], step: int) -> None:
    journal = look.journals[event.event_id, event.lead.name]
    reply, before = journal.get("reply"), replies.get(event.event_id)
    if reply is None or journal.get("farewell"):
        if before and not journal.get("fate"):
            raise Violation(f"the stored answer of {event.event_id} is gone, and it waits")
        return
    if before and before[0] != reply:
        raise Violation(f"another answer of {event.event_id} has replaced the one that was stored first")
    replies.setdefault(event.event_id, (reply, step))


def _agenda(look: Look) -> None:
    waiting, listed = {name for name, ids in look.inboxes.items() if ids}, set(look.agenda)
    if waiting - listed:
        raise Violation(f"{', '.join(sorted(waiting - listed))} waits and is not on the agenda")
    if listed - waiting:
        raise Violation(f"{', '.join(sorted(listed - waiting))} is on the agenda and nothing waits")


def _books(ledger: Ledger, look: Look, fates: dict[str, str]) -> None:
    expected: Counter[str] = Counter()
    for event in ledger.events:
        expected[f"{event.lead.persona}:accepted"] += 1
        if fate := fates.get(event.event_id):
            expected[f"{event.lead.persona}:{fate}"] += 1
    counted = {word: int(number) for word, number in look.hash("books").items()}
    for word in sorted(expected.keys() | counted.keys()):
        if expected[word] != counted.get(word, 0):
            raise Violation(f"the books count {counted.get(word, 0)} as {word}, and there are {expected[word]}")


def _order(ledger: Ledger, look: Look) -> None:
    place = {event.event_id: index for index, event in enumerate(ledger.events) if event.kind != "operator_message"}
    for name, ids in look.inboxes.items():
        places = [place[event_id] for event_id in ids if event_id in place]
        if places != sorted(places):
            raise Violation(f"the inbox of {name} is not in the order of acceptance: {' '.join(ids)}")


def _indexes(look: Look) -> None:
    # What an index of the shard says, and what each conversation says of itself, is the same.
    for field, index in (("taken_over", "taken_over"), ("sealed", "sealed")):
        own = {name for name, state in look.conversations.items() if field in state}
        if own != set(look.hash(index)):
            raise Violation(f"the index {index} and the conversations differ: {sorted(own ^ set(look.hash(index)))}")
    planned = {name for name, state in look.conversations.items() if "touch_at" in state}
    if planned != set(look.scores("follow_ups")):
        raise Violation(f"the index of follow-ups and the conversations differ: {sorted(planned)}")
    out = Counter(name.partition(":")[0] for name, mark in look.hash("consents").items() if mark.startswith("out "))
    counted = {persona: int(number) for persona, number in look.hash("opted_out").items() if int(number)}
    if dict(out) != counted:
        raise Violation(f"{dict(out)} leads are opted out, and {counted} are counted")
    for name, state in look.conversations.items():
        mark = look.hash("consents").get(name, "").partition(" ")[0]
        if state.get("consent", "") != mark:
            raise Violation(f"{name} says {state.get('consent')!r} of its consent, and the index {mark!r}")
