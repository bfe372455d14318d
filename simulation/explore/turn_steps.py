"""The steps of workers: begin, a call of the turn under way, a renewal, the end of the process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulation.explore import promises
from simulation.explore.choices import LOST, OUTCOMES, TWICE
from simulation.explore.client import Command
from simulation.explore.ledger import Call, Ledger, Violation, answer_to, answered_by
from simulation.explore.product import Product
from simulation.explore.replay import Answered, Ask, Item, Renewed, Send
from simulation.explore.values import replace
from simulation.explore.world import Packet, Running, Worker, World
from worker.domain.answer import Answer
from worker.domain.conversation import Conversation
from worker.domain.failures import CallFailed, OutcomeUnknown, Rejected, Sealed, Unavailable
from worker.store.conversations.turn_steps import Grant

# After these scripts the store lets a turn go on to its next call.
_LETS_GO_ON = {"record": b"holder", "asking": b"asking"}


def begin(product: Product, world: World, worker: Worker, lead: Conversation, fault: str) -> World:
    """A worker looks at a conversation. ``fault``: it does not hear the answer, and asks again later; or the network
    keeps a copy."""
    number = worker.turns + (0 if worker.beginning else 1)
    token = f"{worker.name}{number}"
    asked_at, step = worker.beginning[2:] if worker.beginning else (world.passed, world.ledger.step)
    before = product.look()
    granted = product.store.steps.begin(lead, token)
    promises.of_begin(before, world.now, lead, token, isinstance(granted, Grant))
    if isinstance(granted, Grant) and any(other.turn and other.turn.lead == lead for other in world.workers):
        world = in_trouble(world, lead)
    if fault == TWICE and product.redis.last is not None:
        world = replace(world, late=(*world.late, Packet(product.redis.last, worker.name, lead, token)))
    if fault == LOST:
        return _put(world, replace(worker, beginning=(lead, token, asked_at, step), turns=number))
    after = replace(worker, beginning=None, turns=number)
    if not isinstance(granted, Grant):
        return replace(_put(world, after), futile=(*world.futile, lead))
    world = promises.of_grant(world, granted, repeated=worker.beginning is not None)
    if before.conversations.get(lead.name, {}).get("owner") != token:
        # The begin that was not heard was refused.
        step = world.ledger.step
    return _go_on(product, world, after, granted, (), asked_at, begun=step, stored=step)


def call(product: Product, world: World, worker: Worker, outcome: str, *, late: bool = False) -> World:
    """The turn's call of an upstream. ``late``: the process was frozen right before it; else it looks at its lease."""
    assert worker.turn is not None, "it runs"
    turn = worker.turn
    if not late and world.passed != turn.made_at:
        looked = _go_on(product, world, worker, turn.grant, turn.history, turn.begun_at, turn.begun, turn.stored)
        own = looked.worker(worker.name).turn
        if own is None or own.came.request != turn.came.request:
            return looked
        turn = own
    request = turn.came.request
    answer: Answer | CallFailed | None
    if isinstance(request, Ask):
        world, answer = _asked(product, world, turn, worker, request, outcome, late)
    else:
        assert isinstance(request, Send), "scripts have a step of their own"
        world, answer = _sent(world, turn, worker, request, outcome, late)
    if isinstance(answer, OutcomeUnknown):
        world = in_trouble(world, turn.lead)
    history = (*turn.history, Answered(answer, turn.made_at, turn.renewals))
    return _go_on(product, world, worker, turn.grant, history, turn.begun_at, turn.begun, turn.stored)


def look_at_lease(product: Product, world: World, worker: Worker) -> World:
    """The process goes on after its lease may have run out, and looks before it calls."""
    assert worker.turn is not None, "it runs"
    turn = worker.turn
    world = in_trouble(world, turn.lead)
    return _go_on(product, world, worker, turn.grant, turn.history, turn.begun_at, turn.begun, turn.stored)


def script(product: Product, world: World, worker: Worker, fault: str) -> World:
    """The script that the turn runs next. ``fault``: its answer does not arrive, and it is sent again; or the network
    keeps a copy."""
    assert worker.turn is not None, "it runs"
    turn, command = worker.turn, worker.turn.came.request
    assert isinstance(command, Command), "calls have a step of their own"
    before = product.look()
    answer = product.run(command)
    promises.of_script(before, product.look(), world.now, turn, command.name, answer, product.ttl_ms)
    if fault == LOST:
        return _put(world, replace(worker, turn=replace(turn, unheard=True)))
    if fault == TWICE:
        world = replace(world, late=(*world.late, Packet(command, worker.name, turn.lead, turn.grant.token)))
    stored = turn.stored
    if command.name in _LETS_GO_ON and _first(answer) == _LETS_GO_ON[command.name].decode():
        stored = world.ledger.step
    history = (*turn.history, Answered(answer, turn.made_at, turn.renewals))
    return _go_on(product, world, worker, turn.grant, history, turn.begun_at, turn.begun, stored)


def renew(product: Product, world: World, worker: Worker) -> World:
    """The process renews the lease of its turn, or hears that it is lost."""
    assert worker.turn is not None, "it runs"
    turn = worker.turn
    before = product.look()
    lost = bool(product.store.steps.renew([turn.grant]))
    promises.of_script(before, product.look(), world.now, turn, "renew", "lost" if lost else "renewed", product.ttl_ms)
    history = (*turn.history, Renewed(lost, world.passed))
    ttl_ms = product.ttl_ms
    valid = turn.came.valid_until if lost else max(turn.came.valid_until, world.passed + ttl_ms)
    came = replace(turn.came, valid_until=valid, lost=turn.came.lost or lost)
    return _put(world, replace(worker, turn=replace(turn, history=history, came=came)))


def crash(world: World, worker: Worker) -> World:
    """The process is gone, with all that it knew."""
    lead = worker.turn.lead if worker.turn else worker.beginning[0] if worker.beginning else None
    world = _put(world, replace(worker, turn=None, beginning=None))
    return in_trouble(world, lead) if lead else world


def hand_over(product: Product, world: World, worker: Worker) -> World:
    """The process is told to end, and gives its lease back in the middle of the turn."""
    assert worker.turn is not None, "it runs"
    product.store.steps.hand_over([worker.turn.grant])
    return crash(world, worker)


def in_trouble(world: World, lead: Conversation) -> World:
    """From now on the ends that only trouble explains are explained for this lead."""
    return replace(world, ledger=replace(world.ledger, trouble=world.ledger.trouble | {lead}))


def _go_on(
    product: Product,
    world: World,
    worker: Worker,
    grant: Grant,
    history: tuple[Item, ...],
    begun_at: int,
    begun: int,
    stored: int,
) -> World:
    try:
        came = product.proceed(grant, begun_at, history, world.passed)
    except Violation:
        raise
    except Exception as error:
        raise Violation(f"worker {worker.name} meets an internal error in its turn: {error!r}") from error
    if came.request is None:
        return _put(world, replace(worker, turn=None))
    history = (*history, *came.looked)
    renewals = sum(isinstance(item, Renewed) for item in history)
    turn = Running(grant.conversation, grant, begun_at, history, came, world.passed, renewals, begun, stored)
    return _put(world, replace(worker, turn=turn))


def _asked(
    product: Product, world: World, turn: Running, worker: Worker, request: Ask, outcome: str, late: bool
) -> tuple[World, Answer | CallFailed]:
    acted = outcome in ("", "acts, answer lost")
    if acted:
        promises.of_ask(world, turn, worker.name, request, late=late)
    number = sum(call.kind == "ask" and call.acted and call.lead == turn.lead for call in world.ledger.calls) + 1
    call_ = Call("ask", turn.lead, request.events, acted, outcome, late)
    answer = Answer(answer_to(request.events, number, product.bubbles)) if not outcome else _failure(outcome)
    return _note(world, call_), answer


def _sent(
    world: World, turn: Running, worker: Worker, request: Send, outcome: str, late: bool
) -> tuple[World, CallFailed | None]:
    acted = outcome in ("", "acts, answer lost")
    events = answered_by(request.text) or (turn.grant.head.event_id,)
    if acted:
        promises.of_send(world, turn, worker.name, late=late)
    call_ = Call("send", turn.lead, events, acted, outcome, late, request.key, request.text)
    return _note(world, call_), _failure(outcome) if outcome else None


def _failure(outcome: str) -> CallFailed:
    match outcome:
        case "unavailable":
            return Unavailable(OUTCOMES[outcome], status=503)
        case "refuses":
            return Rejected(OUTCOMES[outcome], status=422)
        case "ends it":
            return Sealed(OUTCOMES[outcome], status=400)
        case _:
            return OutcomeUnknown(OUTCOMES[outcome])


def _note(world: World, call_: Call) -> World:
    ledger: Ledger = world.ledger
    return replace(world, ledger=replace(ledger, calls=(*ledger.calls, call_)))


def _put(world: World, worker: Worker) -> World:
    return replace(world, workers=tuple(worker if each.name == worker.name else each for each in world.workers))


def _first(answer: Any) -> str:
    return str(answer[0]) if isinstance(answer, list) else str(answer)


def with_(mapping: Mapping[Any, Any], key: Any, value: Any) -> dict[Any, Any]:
    """A copy of a mapping with one more entry."""
    return {**mapping, key: value}
