"""Pulls the follow-ups that FluidTalk writes (Characters API), and acknowledges those that have their fate."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from config.settings import Settings
from worker.adapters.persona import WritesFollowUps
from worker.domain import event_parts
from worker.domain.cadence import TouchState
from worker.domain.conversation import Conversation
from worker.domain.decisions import status_of
from worker.domain.events import PulledFollowUp, with_left_out
from worker.domain.failures import CallFailed, KeyRefused, Rejected, Throttled, Unavailable, Unsendable
from worker.domain.platforms import target_on
from worker.domain.vocabulary import Cause, Gate, stored
from worker.domain.written import Written
from worker.observability import metrics
from worker.pipeline import failpoints
from worker.store import Store
from worker.store.personas.pulled import AGAIN_SECONDS

_log = logging.getLogger("parley.follow_ups")

# How often a process looks; what is due is decided in the store.
_LOOK_SECONDS = 5.0
# So many more are asked for than are known: the list begins with the oldest, and those must not hide the others.
_MORE = 100
_AT_ONCE = 200
# For a call that is not allowed, and an ack that is refused.
_LONG_SECONDS = 3600.0
# Beyond the longest call, for what comes after it.
_BEHIND_SECONDS = 60.0

_STOPPING = (Gate.PAUSED.value, Gate.QUARANTINED.value, "circuit_until")


class Pulling:
    """Any number of processes may do this at once: one at a time asks for the follow-ups of a persona on a platform,
    each of which becomes one event. An ack is repeated until the server has taken it. ``beside``: is called after each
    round."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        personas: Mapping[str, WritesFollowUps],
        beside: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._personas = personas
        self._settings = settings.personas
        self._retry = settings.retry
        self._beside = beside
        self._right_seconds = settings.fluidtalk.total_seconds + _BEHIND_SECONDS
        self._running = threading.Lock()
        self._next_look = 0.0

    def due(self) -> bool:
        """Whether this process should look now: every few seconds, if it has a persona of the Characters API."""
        now = time.monotonic()
        if not self._personas or now < self._next_look:
            return False
        self._next_look = now + _LOOK_SECONDS
        return True

    def run(self) -> Counter[str]:
        """Acknowledge and pull what is due. Returns how many were accepted, acknowledged, and so on: nothing while this
        process already does so. Raises ``redis.RedisError``; what was not done stays due."""
        counts: Counter[str] = Counter()
        if not self._running.acquire(blocking=False):
            return counts
        try:
            self._store.layout.ensure()
            for persona in self._personas:
                closed = self._store.personas.gates(persona)
                if self._takes_calls(closed):
                    counts["acknowledged"] += self._acknowledge(persona)
                    if self._settings[persona].pulled_follow_ups.enabled and Gate.OUTREACH.value not in closed:
                        counts += self._of_persona(persona)
            self._beside()
        finally:
            self._running.release()
        counts = +counts
        if counts:
            said = ", ".join(f"{number} {word}" for word, number in sorted(counts.items()))
            _log.info("follow-ups of FluidTalk: %s", said)
        return counts

    def _takes_calls(self, closed: Mapping[str, str]) -> bool:
        # Without credits these calls are still allowed. The fields of a hold stay when its time is over.
        if any(gate in closed for gate in _STOPPING):
            return False
        return int(closed.get("hold_until", "0")) <= self._store.follow_ups.now()

    def _acknowledge(self, persona: str) -> int:
        done = 0
        owed = self._store.pulled.take_owed(persona)
        for place, each in enumerate(owed):
            failpoints.reached("before acknowledging")
            try:
                self._personas[persona].acknowledge(each.ref)
            except (Rejected, Unsendable) as failure:
                _log.warning("ack refused (%s): tried again in an hour", status_of(failure), extra={"persona": persona})
                self._store.pulled.later(persona, [each], _LONG_SECONDS)
            except CallFailed as failure:
                # What is true of this one is true of the others.
                seconds = self._failed(persona, "ack", failure)
                self._store.pulled.later(persona, owed[place:], max(seconds, AGAIN_SECONDS))
                break
            else:
                failpoints.reached("after acknowledging")
                self._store.pulled.acknowledged(persona, each)
                done += 1
        return done

    def _of_persona(self, persona: str) -> Counter[str]:
        counts: Counter[str] = Counter()
        rules = self._settings[persona].pulled_follow_ups
        for platform in rules.platforms or (self._settings[persona].platform or "",):
            if rules.sweep_every_hours:
                counts["sweeps"] += self._sweep(persona, platform, rules.sweep_every_hours * 3600)
            for account in self._settings[persona].separate_accounts or (None,):
                counts += self._pull(persona, platform, account, rules.every_seconds)
        return counts

    def _sweep(self, persona: str, platform: str, every_seconds: float) -> int:
        # Taken for the whole interval: it costs, so it is not repeated when its outcome is unknown.
        what, rules = f"sweep:{platform}", self._settings[persona].pulled_follow_ups
        token = self._store.pulled.take_right(persona, what, every_seconds)
        if token is None:
            return 0
        try:
            self._personas[persona].sweep(platform, rules.sweep_idle_hours, rules.sweep_limit)
        except CallFailed as failure:
            self._failed(persona, "sweep", failure)
            if isinstance(failure, Unavailable):
                self._store.pulled.done(persona, what, token, rules.every_seconds)
            return 0
        return 1

    def _pull(self, persona: str, platform: str, account: str | None, every_seconds: float) -> Counter[str]:
        pulled = self._store.pulled
        what = f"list:{platform}/{account}" if account else f"list:{platform}"
        token = pulled.take_right(persona, what, self._right_seconds)
        if token is None:
            return Counter()
        try:
            found = self._personas[persona].written(platform, account, pulled.unacknowledged(persona) + _MORE)
        except CallFailed as failure:
            pulled.done(persona, what, token, max(every_seconds, self._failed(persona, "list", failure)))
            return Counter()
        counts = self._take_in(persona, f"{platform}/{account}" if account else platform, found)
        pulled.done(persona, what, token, every_seconds)
        return counts

    def _take_in(self, persona: str, place: str, found: Sequence[Written]) -> Counter[str]:
        events = [(written.ref, self._event(persona, place, written)) for written in found]
        self._store.pulled.owe(persona, [ref for ref, event in events if event is None])
        usable = [event for _, event in events if event is not None]
        known = self._store.pulled.known([(_conversation(event), event.ref) for event in usable])
        fresh = [event for event, state in zip(usable, known, strict=True) if state is None]
        # What waits is looked at again: its conversation may have been erased.
        waiting = [event for event, state in zip(usable, known, strict=True) if state is False]
        wanted, counts = waiting + self._allowed(fresh), Counter[str]()
        for start in range(0, len(wanted), _AT_ONCE):
            acceptances = self._store.inbox.accept_many(wanted[start : start + _AT_ONCE])
            counts += Counter(each.status for each in acceptances if each.status != "duplicate")
            for event, each in zip(wanted[start : start + _AT_ONCE], acceptances, strict=True):
                if each.cause:
                    metrics.skipped(persona, each.cause)
                if event.left_out and each.status == "accepted":
                    extra = {"conversation": _conversation(event).name}
                    _log.warning("left out of a follow-up: %s", event_parts.told(event.left_out), extra=extra)
        return counts

    def _event(self, persona: str, place: str, written: Written) -> PulledFollowUp | None:
        is_test = self._settings[persona].mode != "live"
        if not written.bubbles or not written.handle or (is_test and not written.handle.startswith("test_")):
            return None
        event = PulledFollowUp.of(persona, target_on(place, written.handle), written.ref, written.bubbles)
        return with_left_out(event, written.left_out) if event and written.left_out else event

    def _allowed(self, events: Sequence[PulledFollowUp]) -> list[PulledFollowUp]:
        # One of each lead at a time, the oldest; the oldest of all come first into a cap, as the list has them. What a
        # cap holds back stays with FluidTalk, and is listed again.
        first: dict[str, PulledFollowUp] = {}
        for event in events:
            first.setdefault(_conversation(event).name, event)
        states = [TouchState(name, plan=_number(event)) for name, event in first.items()]
        held_back = self._store.follow_up_caps.held_back(states, self._store.follow_ups.now()) if states else {}
        return [event for name, event in first.items() if name not in held_back]

    def _failed(self, persona: str, call: str, failure: CallFailed) -> float:
        """Act on what a failure says of the whole persona. Returns the seconds for which the call is not worth it."""
        told, extra = status_of(failure) or failure.why or type(failure).__name__, {"persona": persona}
        match failure:
            case KeyRefused(status=403):
                _log.error(
                    "follow-ups of FluidTalk: %s is not allowed (403); tried again in an hour", call, extra=extra
                )
                return _LONG_SECONDS
            case KeyRefused():
                _log.error("persona quarantined: its key is refused. Correct the key, then resume.", extra=extra)
                self._store.personas.quarantine(persona, stored(Cause.KEY_REFUSED, status_of(failure)))
            case Throttled():
                retry = self._retry
                seconds = min(failure.retry_after or retry.pause_limit_seconds, retry.retry_after_limit_seconds)
                self._store.personas.hold(persona, seconds, stored(Cause.PERSONA_THROTTLED, status_of(failure)))
            case _:
                _log.warning("follow-ups of FluidTalk: %s failed (%s); tried again later", call, told, extra=extra)
        return 0.0


def _conversation(event: PulledFollowUp) -> Conversation:
    return Conversation(event.persona, event.target)


def _number(event: PulledFollowUp) -> int:
    # By which caps know it again.
    return int(event.event_id.partition("-")[2][:12], 16)
