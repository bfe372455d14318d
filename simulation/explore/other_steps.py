"""The steps of producers, operators, beat, the network and the clock."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simulation.explore import promises
from simulation.explore.choices import MOVES, STEP_BACK_MS
from simulation.explore.ledger import Accepted, Ledger, Stop, Violation
from simulation.explore.look import Look
from simulation.explore.product import Product
from simulation.explore.values import replace
from simulation.explore.world import Packet, World
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, ChannelContext, EventTrigger, FollowUp, InboundChat, StoredEvent
from worker.store.operator.takeovers import Answer

_WHO = "kim"


def send(product: Product, world: World, kind: str, lead: Conversation) -> World:
    """A producer sends the next event. ``kind``: of the event, or stop or start for what the lead says."""
    ledger = world.ledger
    event_id = f"e{len(ledger.events) + 1}"
    event = _event(event_id, kind, lead)
    accepted = product.store.inbox.accept(event)
    if accepted.status != "accepted":
        raise Violation(f"{event_id} is new, and the store says {accepted.status}")
    said = kind if kind in ("stop", "start") else ""
    _come_again(product, repeated=True)
    told = Accepted(event_id, lead, event.kind, world.now, said)
    ledger = replace(ledger, events=(*ledger.events, told))
    if said == "stop":
        ledger = begins(ledger, lead, "opted_out")
    if said == "start":
        ledger = ends(ledger, lead, "opted_out")
    return replace(world, ledger=ledger)


def send_again(product: Product, world: World, event_id: str) -> World:
    """The producer did not hear the receipt."""
    told = next(event for event in world.ledger.events if event.event_id == event_id)
    if event_id in world.ledger.forgotten:
        # Nothing is known of it any more: it would be a new event, as it is documented.
        return world
    accepted = product.store.inbox.accept(_event(event_id, told.said or told.kind, told.lead))
    if accepted.status != "duplicate":
        raise Violation(f"{event_id} comes again, and the store says {accepted.status}")
    return world


def operate(product: Product, world: World, act: str, lead: Conversation) -> World:
    """An operator does something about a conversation; the client does not hear the answer, and sends it again."""
    ledger = _ACTS[act](product, world, lead)
    _come_again(product, act != "forget")
    return replace(world, ledger=ledger)


def _come_again(product: Product, repeated: bool) -> None:
    last, before = product.redis.last, product.look()
    if repeated and last is not None:
        product.run(last)
        promises.of_repetition(before, product.look(), last.name)


def _claim(product: Product, world: World, lead: Conversation) -> Ledger:
    claimed = product.store.takeovers.claim(lead, _WHO).status == "claimed"
    return begins(world.ledger, lead, "taken_over") if claimed else world.ledger


def _hand_back(product: Product, world: World, lead: Conversation, answer: Answer) -> Ledger:
    before, ledger = product.look(), world.ledger
    done = product.store.takeovers.hand_back(lead, answer)
    promises.of_hand_back(before, product.look(), world.now, lead)
    if done.status == "handed_back":
        ledger = ends(ledger, lead, "taken_over")
    return replace(ledger, dropped=ledger.dropped | {lead}) if done.dropped else ledger


def _seal(product: Product, world: World, lead: Conversation) -> Ledger:
    done = product.store.seals.seal(lead, _WHO) == "done"
    return begins(world.ledger, lead, "sealed") if done else world.ledger


def _unseal(product: Product, world: World, lead: Conversation) -> Ledger:
    done = product.store.seals.unseal(lead, _WHO) == "done"
    return ends(world.ledger, lead, "sealed") if done else world.ledger


def _say(product: Product, world: World, lead: Conversation) -> Ledger:
    ledger = world.ledger
    event_id = f"e{len(ledger.events) + 1}"
    said = product.store.operator_messages.say(lead, _WHO, "a word of a person", event_id=event_id)
    if said.status != "accepted":
        return ledger
    return replace(ledger, events=(*ledger.events, Accepted(event_id, lead, "operator_message", world.now)))


def _forget(product: Product, world: World, lead: Conversation) -> Ledger:
    ledger, forgetting = world.ledger, product.store.forgetting
    done = forgetting.forget(lead, forgetting.traces(lead), also_consent=True)
    if done.status != "forgotten":
        return ledger
    ids = {event.event_id for event in ledger.of(lead)}
    # What waited has ended as skipped, and nothing else is left of it but the figures.
    fates = {**ledger.fates, **{event_id: "skipped" for event_id in ids if event_id not in ledger.fates}}
    ledger = replace(ledger, forgotten=ledger.forgotten | ids, fates=fates)
    for stop in ("taken_over", "sealed", "opted_out"):
        ledger = ends(ledger, lead, stop)
    return ledger


_ACTS: dict[str, Callable[[Product, World, Conversation], Ledger]] = {
    "claim": _claim,
    "hand back joined": partial(_hand_back, answer="joined"),
    "hand back last": partial(_hand_back, answer="last"),
    "hand back none": partial(_hand_back, answer="none"),
    "seal": _seal,
    "unseal": _unseal,
    "forget": _forget,
    "say": _say,
}


def ring(product: Product, world: World) -> World:
    """Beat looks at the agenda. Its doorbells are hints, and any worker may begin without one."""
    rung = tuple(lead for lead, _ in product.store.agenda.claim_due())
    return replace(world, rung=rung)


def bring_again(product: Product, world: World, number: int) -> World:
    """The network brings a copy of what was sent before."""
    packet, before = world.late[number], product.look()
    product.run(packet.command)
    if packet.command.name == "begin" and not _changes_nothing(packet, before, world.now):
        # It begins a turn that no worker runs, as if its worker had crashed at once.
        world = replace(world, ledger=replace(world.ledger, trouble=world.ledger.trouble | {packet.lead}))
    else:
        promises.of_repetition(before, product.look(), packet.command.name)
    return replace(world, late=(*world.late[:number], *world.late[number + 1 :]))


def _changes_nothing(packet: Packet, look: Look, now: int) -> bool:
    # The store knows the token of the turn that is under way, and of those that ended last; and it keeps a lease.
    state = look.conversations.get(packet.lead.name, {})
    if packet.token in (state.get("owner"), state.get("settled_by"), state.get("held_by")):
        return True
    return int(state.get("lease_until", "0")) > now


def move(product: Product, world: World, how: str) -> World:
    """Time passes."""
    now = next(at for at in world.due if at > world.now) if how == "next" else world.now + MOVES[how]
    product.set_clock(now)
    return replace(world, now=now)


def step_back(product: Product, world: World) -> World:
    """The store's clock is set back. Beat looks at each shard all the time, and so finds it at once."""
    now = world.now - STEP_BACK_MS
    product.set_clock(now)
    product.store.agenda.claim_due()
    return replace(world, now=now, stepped=world.stepped - STEP_BACK_MS)


def begins(ledger: Ledger, lead: Conversation, stop: Stop) -> Ledger:
    """From this step on it is in force, if it was not before."""
    since = {**ledger.since}
    since.setdefault((lead, stop), ledger.step)
    return replace(ledger, since=since, ever=ledger.ever | {(lead, stop)})


def ends(ledger: Ledger, lead: Conversation, stop: Stop) -> Ledger:
    """It is in force no longer."""
    return replace(ledger, since={key: step for key, step in ledger.since.items() if key != (lead, stop)})


def _event(event_id: str, kind: str, lead: Conversation) -> StoredEvent:
    about = {
        "event_id": event_id,
        "persona": lead.persona,
        "target": lead.target,
        "channel": ChannelContext(session_id=f"session {lead.name}", metadata={}),
    }
    match kind:
        case "inbound_chat":
            return InboundChat(message=f"says {event_id}", **about)
        case "stop" | "start":
            return InboundChat(message=kind.upper(), **about)
        case "ai_opener":
            return AiOpener(**about)
        case "event_trigger":
            return EventTrigger(event_type="story_reaction", **about)
        case "follow_up":
            return FollowUp(**about)
        case _:
            raise ValueError(f"no producer sends a {kind}")
