"""The end of a run: everything lives and answers, time runs forward, and then each event must have an end that can be
explained by what happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta

from simulation.explore.choices import CRASH
from simulation.explore.client import Command
from simulation.explore.ledger import Accepted, Call, Ledger, Violation, answered_by, number_of
from simulation.explore.look import Look
from simulation.explore.machine import Machine
from simulation.explore.product import Product
from simulation.explore.replay import Ask
from simulation.explore.values import replace
from simulation.explore.world import Budget, Choice, World
from worker.domain.conversation import Conversation
from worker.domain.reasons import read
from worker.domain.vocabulary import KINDS, Cause

# More than any run needs: each event is asked, sent and held a few times at most.
_LOOKS = 200
_LONGEST_MS = timedelta(days=1) // timedelta(milliseconds=1)
# The shortest time in which an event becomes too old; a little less, because a clock that is set back makes it older.
_VALID_MS = timedelta(hours=5, minutes=59) // timedelta(milliseconds=1)
_ALL = Budget(events=1_000, faults=1_000, acts=1_000, moves=1_000)


def end(machine: Machine, world: World, taken: Callable[[Choice], None] = lambda _: None) -> World:
    """Let everything come to its end, and judge it. ``taken``: told of each step. Raises ``Violation``."""
    run = _Run(machine, world, taken)
    run.finish_turns()
    run.bring_all()
    for lead in sorted({lead for lead, stop in world.ledger.since if stop == "taken_over"}):
        run.take("operator", "hand back joined", lead.name)
    run.until_nothing_waits()
    judge(run.world, machine.product)
    return run.world


class _Run:
    # Everybody lives and answers from here on.

    def __init__(self, machine: Machine, world: World, taken: Callable[[Choice], None]) -> None:
        self._machine = machine
        self._taken = taken
        self.world = replace(world, budget=_ALL)

    def take(self, who: str, what: str, about: str = "") -> None:
        choice = Choice(who, what, about)
        self._taken(choice)
        self.world = self._machine.take(self.world, choice)

    def finish_turns(self) -> None:
        for worker in self.world.workers:
            if worker.beginning:
                self.take(worker.name, CRASH)
            self._finish_turn(worker.name)

    def bring_all(self) -> None:
        while self.world.late:
            self.take("network", "brings again", "(0)")

    def until_nothing_waits(self) -> None:
        last = self.world.now + _LONGEST_MS
        for _ in range(_LOOKS):
            if not self.world.due:
                return
            if self.world.due[0] > self.world.now:
                self.take("clock", "next")
            if self.world.now > last:
                break
            self.take("beat", "rings")
            for lead in self.world.rung:
                self.take(self.world.workers[0].name, "begins", lead.name)
                self._finish_turn(self.world.workers[0].name)
        waiting = ", ".join(lead.name for lead in self.world.waiting)
        raise Violation(f"{waiting} waits for ever: {_LOOKS} looks at the agenda, or a day, end nothing")

    def _finish_turn(self, name: str) -> None:
        while (turn := self.world.worker(name).turn) is not None:
            request, came = turn.came.request, turn.came
            if isinstance(request, Command):
                self.take(name, request.name)
            elif came.lost or self.world.passed >= came.valid_until:
                self.take(name, "looks at its lease")
            else:
                self.take(name, "asks" if isinstance(request, Ask) else "sends")


def judge(world: World, product: Product) -> None:
    """Whether each end is explained, each repetition named, each answer delivered once, each notice written."""
    ledger, look = world.ledger, product.look(everything=True)
    for event in ledger.events:
        if event.event_id not in ledger.forgotten:
            _explained(event, ledger, look.journals[event.event_id, event.lead.name], world.now)
    for lead in sorted({event.lead for event in ledger.events}):
        _repetitions(ledger, lead, look)
        _only_once(ledger, lead, product)
        _answers(ledger, lead)
    _notices(ledger, look)


def _explained(event: Accepted, ledger: Ledger, journal: Mapping[str, str], now: int) -> None:
    fate, reason = journal["fate"], read(journal.get("reason", ""))
    cause = reason.cause if reason else None
    delivered = [call for call in ledger.calls if call.kind == "send" and call.acted and event.event_id in call.events]
    if fate in ("answered", "joined"):
        if cause is not None and not (cause is Cause.INTERRUPTED and _later_chat(event, ledger)):
            raise Violation(f"{event.event_id} is {fate} for {cause}, and nothing of that kind happened")
        if not delivered:
            raise Violation(f"{event.event_id} is {fate}, and no answer to it was delivered")
        asked = [
            call.events.index(event.event_id)
            for call in ledger.calls
            if call.kind == "ask" and event.event_id in call.events
        ]
        if asked and (0 in asked) != (fate == "answered"):
            raise Violation(f"{event.event_id} is {fate}, and was at place {asked[0]} of what was asked")
        return
    if cause is Cause.TOO_OLD and now - event.at > _VALID_MS:
        return
    expected = _ENDS.get((fate, cause))
    if expected is None or not expected(event, ledger):
        raise Violation(f"{event.event_id} has the fate {fate} for {cause or 'no cause'}, which nothing explains")


def _heard(event: Accepted, ledger: Ledger, kind: str, *answers: str) -> bool:
    return any(call.kind == kind and event.event_id in call.events and call.answer in answers for call in ledger.calls)


def _ever(stop: str) -> Callable[[Accepted, Ledger], bool]:
    return lambda event, ledger: (event.lead, stop) in ledger.ever


def _in_trouble(kind: str) -> Callable[[Accepted, Ledger], bool]:
    return lambda event, ledger: event.lead in ledger.trouble and kind in ("", event.kind)


def _later_chat(event: Accepted, ledger: Ledger) -> bool:
    place = ledger.events.index(event)
    return any(other.lead == event.lead and other.kind == "inbound_chat" for other in ledger.events[place + 1 :])


def _ended_by_persona(event: Accepted, ledger: Ledger) -> bool:
    return any(call.lead == event.lead and call.answer == "ends it" for call in ledger.calls)


# What explains each end that is no answer.
_ENDS: dict[tuple[str, Cause | None], Callable[[Accepted, Ledger], bool]] = {
    ("dead", Cause.PERSONA_REFUSED): lambda event, ledger: _heard(event, ledger, "ask", "refuses"),
    ("dead", Cause.DELIVERY_REFUSED): lambda event, ledger: _heard(event, ledger, "send", "refuses"),
    ("dead", Cause.OUTCOME_UNKNOWN): lambda event, ledger: (
        event.kind == "event_trigger" and event.lead in ledger.trouble
    ),
    ("dead", Cause.DELIVERY_UNCONFIRMED): _in_trouble(""),
    ("skipped", Cause.NUDGE_UNKNOWN): _in_trouble("follow_up"),
    ("dead", Cause.POISON_ASKING): _in_trouble(""),
    ("dead", Cause.POISON_DELIVERING): _in_trouble(""),
    ("skipped", Cause.LEAD_WROTE): lambda event, ledger: event.kind != "inbound_chat" and _later_chat(event, ledger),
    ("skipped", Cause.OPTED_OUT): _ever("opted_out"),
    ("skipped", Cause.DROPPED_AT_HAND_BACK): lambda event, ledger: event.lead in ledger.dropped,
    ("sealed", Cause.SEALED): lambda event, ledger: _ever("sealed")(event, ledger) or _ended_by_persona(event, ledger),
    ("sealed", Cause.PERSONA_ENDED): _ended_by_persona,
}


def _repetitions(ledger: Ledger, lead: Conversation, look: Look) -> None:
    words = Counter(str(line[1]) for line in look.timeline(lead.name))
    if ledger.forgotten & {event.event_id for event in ledger.events if event.lead == lead}:
        return
    asked, again = set[str](), 0
    for call in _acted(ledger, lead, "ask"):
        again += any(event_id in asked for event_id in call.events)
        asked |= set(call.events)
    if again > words["second ask"]:
        named = words["second ask"]
        raise Violation(f"the persona was asked again {again} times for {lead.name}, and {named} are named")
    sends = Counter(call.key for call in _acted(ledger, lead, "send"))
    resent = sum(count - 1 for count in sends.values())
    if resent > words["resent"]:
        raise Violation(f"{lead.name} got {resent} deliveries again, and {words['resent']} are named")


def _only_once(ledger: Ledger, lead: Conversation, product: Product) -> None:
    # What a policy says is never repeated.
    unknown = product.settings.personas[lead.persona].on_unknown
    kinds = [kind for kind, rules in KINDS.items() if rules.unknown(unknown) in ("dead_letter", "skip")]
    heard = Counter(event_id for call in _acted(ledger, lead, "ask") for event_id in call.events)
    for event in ledger.of(lead):
        if event.kind in kinds and heard[event.event_id] > 1:
            raise Violation(f"the persona has heard {event.event_id} {heard[event.event_id]} times, a {event.kind}")
    sends = Counter(call.key for call in _acted(ledger, lead, "send"))
    if unknown.delivery == "hold" and any(count > 1 for count in sends.values()):
        raise Violation(f"{lead.name} got a delivery again, and deliveries in doubt are to be held")


def _acted(ledger: Ledger, lead: Conversation, kind: str) -> list[Call]:
    return [each for each in ledger.calls if each.kind == kind and each.lead == lead and each.acted and not each.late]


def _answers(ledger: Ledger, lead: Conversation) -> None:
    answers: dict[str, set[str]] = {}
    keys: dict[str, set[str]] = {}
    for call in _acted(ledger, lead, "send"):
        keys.setdefault(call.text, set()).add(call.key)
        for event_id in answered_by(call.text):
            answers.setdefault(event_id, set()).add(number_of(call.text))
    for event_id, numbers in answers.items():
        if len(numbers) > 1:
            raise Violation(
                f"{lead.name} got {len(numbers)} answers to {event_id}, numbers {', '.join(sorted(numbers))}"
            )
    for text, own in keys.items():
        if len(own) > 1 and answered_by(text):
            raise Violation(f"the answer {text!r} was delivered under {len(own)} idempotency keys")


def _notices(ledger: Ledger, look: Look) -> None:
    told: Counter[tuple[str, str]] = Counter()
    for notice in look.texts("notices"):
        word, *_, event_id, _, _ = notice.split("\n")
        if word.startswith("event."):
            told[event_id, word.removeprefix("event.")] += 1
    for event in ledger.events:
        fate = ledger.fates[event.event_id]
        if event.event_id not in ledger.forgotten and told[event.event_id, fate] != 1:
            raise Violation(f"{event.event_id} is {fate}, and {told[event.event_id, fate]} notices say so")
