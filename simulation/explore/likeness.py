"""When two states of a world are the same: what happens from there on is the same, and so is what can be judged.

Times count from now, numbers that only order events count by their order, workers are alike, and what only tells of the
past is left out. Calls and fates are a part of the state, because the end is judged by them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from simulation.explore.client import Command
from simulation.explore.look import Look
from simulation.explore.replay import Answered, Item, Send
from simulation.explore.world import Running, Worker, World
from worker.store.conversations.journal import Entry

# Of a conversation and of a journal: what no script and no turn decides by, or only by its order.
_TOLD = frozenset(
    {"noticed", "handed_back_by", "sealing", "sealed_by", "plan", "touches", "channel", "payload", "digest"}
)
_ORDER = frozenset({"seq", "inbound_seq", "last_rank", "answered_rank", "rank", "fence", "group_aside", "awaited"})
_ONLY_PAST = frozenset({"accepted_at", "first_accepted_at", "replied_at", "settled_at", "last_inbound", "last_said"})
_ONLY_PAST |= {"taken_over_at", "sealed", "rung_at", "quiet_from", "owned_elsewhere", "confirmed"}
_KEYS_LEFT_OUT = ("books", "notices_kept", "clock", "conversations", "noticed:", "outcomes:", "gone:", "ramp:")
_TIME = re.compile(r"\d{13}")
_TOKEN = re.compile(r"\b([A-H])(\d+)\b")
# A lease that ran out longer ago is waited for no more (begin.lua).
_LATE_MS = (0, -3_000, -300_000)


def state_of(world: World, look: Look) -> int:
    """The same number for states that are the same but for the budget. Different states have it by chance only."""
    names = {_token_of(worker): "own" for worker in world.workers}
    keys = _keys(world)
    described = sorted(((repr(_worker(each, world, keys)), each) for each in world.workers), key=lambda one: one[0])
    for place, (_, worker) in enumerate(described):
        names[_token_of(worker)] = f"@{place}"
    for place, packet in enumerate(world.late):
        names.setdefault(packet.token, f"late {place}")
    stored = repr(sorted(_stored(world, look)))
    stored = _TOKEN.sub(lambda found: names.get(found[0], "past"), stored)
    late = [(packet.command.name, names.get(packet.token)) for packet in world.late]
    ledger = world.ledger
    calls = [call._replace(key=keys.get(call.key, "")) for call in ledger.calls]
    told = (calls, sorted(ledger.fates.items()), sorted(ledger.forgotten), sorted(ledger.trouble))
    marks = (sorted(ledger.dropped), sorted(ledger.ever), sorted(ledger.since))
    more = (marks, len(ledger.events), world.futile)
    return hash((stored, tuple(text for text, _ in described), repr(late), repr(told), repr(more)))


def _keys(world: World) -> dict[str, str]:
    # A key is made of the token of a turn, and only says which deliveries are the same.
    used = [call.key for call in world.ledger.calls if call.key]
    return {key: f"key {place}" for place, key in enumerate(dict.fromkeys(used))}


def _token_of(worker: Worker) -> str:
    if worker.turn:
        return worker.turn.grant.token
    return worker.beginning[1] if worker.beginning else ""


def _stored(world: World, look: Look) -> Iterable[tuple[str, Any]]:
    orders = _orders(look)
    for key, (_, content) in look.keys.items():
        if key.startswith(_KEYS_LEFT_OUT):
            continue
        if key.startswith(("conversation:", "journal:")):
            yield key, _fields(look.hash(key), world.now, orders)
        elif key in ("agenda", "ready", "follow_ups", "rung", "errands") or key.startswith(("queue:", "parked:")):
            yield key, sorted((name, max(0, at - world.now)) for name, at in look.scores(key).items())
        elif key.startswith("inbox:"):
            yield key, content
        else:
            yield key, _TIME.sub("#", repr(sorted(map(str, content))))


def _orders(look: Look) -> dict[str, int]:
    numbers = set()
    for key in look.keys:
        if key.startswith(("conversation:", "journal:")):
            fields = look.hash(key)
            numbers |= {int(number) for name in _ORDER & fields.keys() for number in fields[name].split()}
    return {str(number): place for place, number in enumerate(sorted(numbers))}


def _fields(fields: Any, now: int, orders: dict[str, int]) -> list[tuple[str, Any]]:
    if "fate" in fields:
        return [(name, fields[name]) for name in ("fate", "reason") if name in fields]
    found: list[tuple[str, Any]] = []
    for name, value in sorted(fields.items()):
        if name in _TOLD:
            continue
        if name in _ORDER:
            found.append((name, [orders[number] for number in value.split()]))
        elif name in _ONLY_PAST:
            found.append((name, "#"))
        elif name == "lease_until":
            found.append((name, _later(int(value) - now)))
        else:
            found.append((name, _TIME.sub(lambda time: str(max(0, int(time[0]) - now)), value)))
    return found


def _later(by: int) -> int:
    if by > 0:
        return by
    return next((limit for limit in reversed(_LATE_MS) if by <= limit), 0)


def _worker(worker: Worker, world: World, keys: Mapping[str, str]) -> Any:
    if worker.beginning:
        lead, _, asked_at, step = worker.beginning
        before = sorted((stop, at < step) for (other, stop), at in world.ledger.since.items() if other == lead)
        return "beginning", lead, max(-6_000, asked_at - world.passed), before
    if worker.turn is None:
        return "idle"
    turn = worker.turn
    came = turn.came
    request = came.request
    wanted: Any = (request.name, len(request.words)) if isinstance(request, Command) else request
    if isinstance(request, Send):
        wanted = request._replace(key=keys.get(request.key, "new"))
    since = world.ledger.since
    own = [(stop, at) for (lead, stop), at in since.items() if lead == turn.lead]
    heeded = sorted((stop, at < turn.begun, at < turn.stored) for stop, at in own)
    replies = world.ledger.replies
    replied = [replies[event][1] < turn.stored for event in _ids(turn) if event in replies]
    left = max(0, came.valid_until - world.passed)
    held = (left, came.lost, world.passed == turn.made_at, turn.unheard)
    return turn.lead, _grant(turn), _heard(turn.history), wanted, held, heeded, replied


def _ids(turn: Running) -> list[str]:
    return [entry.event_id for entry in turn.grant.entries]


def _grant(turn: Running) -> Any:
    grant = turn.grant
    flags = (grant.sealed, grant.started, grant.owned_elsewhere, grant.gives_way, grant.probe, grant.lead_wrote)
    more = (grant.interrupted, grant.consent, grant.unwanted)
    return [_entry(entry) for entry in grant.entries], flags, more


def _entry(entry: Entry) -> Any:
    failed = entry.failed and (entry.failed.what, entry.failed.why)
    return (*entry[:2], *entry[4:15], failed, entry.step, entry.reply, bool(entry.reply_id), entry.said)


def _heard(history: tuple[Item, ...]) -> Any:
    return [
        _TIME.sub("#", _TOKEN.sub("*", repr(item.answer))) if isinstance(item, Answered) else item.lost
        for item in history
    ]
