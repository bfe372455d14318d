"""One chaos run, from the first message to the ledger."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from config.settings import load
from simulation.chaos.feed import Feed
from simulation.chaos.gate_watch import GateWatch
from simulation.chaos.ledger import Ledger, draw_up
from simulation.chaos.messages import CHARACTERS_PLATFORM, messages
from simulation.chaos.operators import Acting, Operators
from simulation.chaos.outages import Outages
from simulation.chaos.push import Push
from simulation.chaos.stage import Stage
from simulation.chaos.store_troubles import FIRST_LEAD_SECONDS
from simulation.chaos.subjects import OtherSubject, ParleySubject, Subject
from simulation.chaos.troubles import (
    BIRTHS,
    CHANNEL_SILENCE_LEASES,
    PERSONA_SILENCE_LEASES,
    Schedule,
    Trouble,
    troubles,
)
from simulation.chaos.upstream_outages import in_turn
from simulation.chaos.versions import Version, checked_out
from simulation.judge.consent import Rules
from simulation.judge.log import read_calls
from simulation.judge.pushed import read_received
from simulation.servers.embedded_redis import EmbeddedRedis
from simulation.servers.system import RunningSystem
from worker.store.redis import ahead

HANDSHAKE = {"ava": "ft_sk_ava", "bea": "ft_sk_bea"}
CHARACTERS = {"cleo": "ftc_live_cleo"}
# Of each API one persona that confirms a STOP; of Handshake also one that does not.
CONFIRMING = ("bea", "cleo")
STEPPING = "simulation.chaos.stepping"
LATENCY_SECONDS = (0.1, 0.5)
# The lease of a conversation whose process gives its signs, in `lease_seconds`.
_WITHOUT_SIGNS = 2.5
_LOOK_SECONDS = 0.03
_QUIET_LOOK_SECONDS = 0.5
_MOST_DRAINS = 10
# A lead with more outreach than the cap has most of it, so that there are both.
_EVENTS_FOR_ONE_OF_CAP, _LEAST_CAP = 6, 2


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do to whom. ``seconds``: over which the messages are spread; the trouble goes on as long as they come.

    ``faults``: names from ``FAULTS``. ``app``: another Celery app to try instead of Parley. ``chats_only``: send no
    other events. ``old_version``: name of a commit; the workers begin as that version and are replaced one by one; when
    it does not know the Characters API, all personas have the Handshake API; when it does not know consent, no lead
    opts out; when it does not know what operators say, no operator claims a conversation.
    ``back``: they begin as this version and are replaced by the old one.
    ``lease_seconds``: the unit of long troubles, 0.4 of the lease of a conversation. ``process_seconds``: after so long
    a silence a process is taken for dead.
    ``pace``, ``outage_seconds``: see ``troubles.troubles``. ``outage``: one of ``upstream_outages.NAMES``, which comes
    once, at the start, instead of all kinds in turn. ``probe_seconds``: between two tries of a closed gate.
    ``drain_seconds``: how long the rest may stand still afterwards, when nothing goes wrong any more. As long as it
    gets less it may take ten times that: a machine that others use, too, breaks no promise.
    """

    seed: int
    messages: int
    conversations: int
    seconds: float
    faults: Sequence[str]
    workers: int = 3
    app: str = ""
    chats_only: bool = False
    old_version: str = ""
    back: bool = False
    lease_seconds: float = 6.0
    process_seconds: float = 2.5
    outage_seconds: float = 10.0
    outage: str = ""
    probe_seconds: float = 5.0
    pace: float = 1.0
    drain_seconds: float = 180.0

    @property
    def has_notices(self) -> bool:
        """Whether notices are kept, read and pushed."""
        # Workers of an older version write none, and may refuse a setting that they do not know.
        return not (self.app or self.old_version)

    @property
    def operators(self) -> bool:
        """Whether operators claim conversations: not where outages are all that may keep an answer back."""
        return tuple(self.faults) != ("outage",)

    @property
    def per_day(self) -> int:
        """The cap of messages that a lead gets without having written."""
        return max(_LEAST_CAP, self.messages // self.conversations // _EVENTS_FOR_ONE_OF_CAP)


FAULTS = (*troubles(1.0, 1.0, 1.0, 1.0), *BIRTHS)


def run(plan: Plan, progress: Callable[[str], object] = str) -> Ledger:
    """Start a system, trouble it, wait until nothing is left to do, and draw up the ledger.

    The environment of this process is the system's meanwhile. ``progress`` is told every second or so how it goes.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-"))
        old = stack.enter_context(checked_out(plan.old_version)) if plan.old_version else None
        call_log = Path(folder, "calls.jsonl")
        characters = {} if plan.app or (old and not old.knows_characters) else CHARACTERS
        opting_out = not (plan.app or plan.chats_only or (old and not old.knows_consent))
        personas = {*HANDSHAKE, *characters}
        rules = Rules(personas.intersection(CONFIRMING), plan.per_day) if opting_out else Rules()
        system = RunningSystem(
            personas={**HANDSHAKE, **characters},
            workers=0 if old and not plan.back else plan.workers,
            beats=0 if plan.app else 1 if old else 2,
            latency_seconds=LATENCY_SECONDS,
            settings={**_settings(plan, characters), **_settings_of_rules(rules), **_settings_of_notices(plan)},
            logs=Path(folder),
            call_log=call_log,
            app=plan.app or (STEPPING if "step" in plan.faults else "worker"),
            appendfsync="always",
        )
        stack.enter_context(system)
        stack.enter_context(patch.dict(os.environ, system.environment))
        parley = None if plan.app else _parley(plan)
        subject: Subject = parley or OtherSubject(plan.app, system.redis.url)
        stack.callback(subject.close)
        replica = stack.enter_context(_replica_of(system.redis)) if "replica" in plan.faults else None
        acting = parley.acts if parley and plan.operators and (old is None or old.knows_say) else None
        running = _Running(plan, system, subject, call_log, progress, characters, rules, old, replica, acting)
        return running.carry_out()


def _parley(plan: Plan) -> ParleySubject:
    steps = "step" in plan.faults
    subject = ParleySubject(load(env_file=None), steps=steps)
    if steps:
        ahead.advance(subject.redis, FIRST_LEAD_SECONDS)
    return subject


def _replica_of(server: EmbeddedRedis) -> EmbeddedRedis:
    return EmbeddedRedis(options={"replicaof": f"127.0.0.1 {server.port}"})


class _Running:
    def __init__(
        self,
        plan: Plan,
        system: RunningSystem,
        subject: Subject,
        call_log: Path,
        progress: Callable[[str], object],
        characters: Collection[str],
        rules: Rules,
        old: Version | None,
        replica: EmbeddedRedis | None,
        acting: Acting | None,
    ) -> None:
        self._plan = plan
        self._system = system
        self._subject = subject
        self._call_log = call_log
        self._progress = progress
        self._rules = rules
        self._stage = Stage(
            system,
            subject,
            plan.seed,
            workers=plan.workers,
            crash_points="crash" in plan.faults and not plan.app,
            clocks="clock" in plan.faults,
            old=old,
            back=plan.back,
            replica=replica,
        )
        self._stage.outages_to_come = in_turn(self._stage.dice, plan.outage)
        self._push = Push(system, self._stage.incidents, steps="step" in plan.faults) if plan.has_notices else None
        self._stage.push = self._push
        self._gates = GateWatch(subject.closed_gates)
        chats_only = plan.chats_only or bool(plan.app)
        personas = sorted({*HANDSHAKE, *characters})
        made = messages(
            plan.seed,
            plan.messages,
            plan.conversations,
            personas,
            characters=characters,
            chats_only=chats_only,
            consent=bool(rules.confirming),
        )
        self._feed = Feed(subject.send, list(made), plan.seconds)
        self._operators = Operators(acting, self._feed.sent, plan.seed) if acting else None

    def carry_out(self) -> Ledger:
        try:
            return self._carry_out()
        finally:
            if self._push:
                self._push.stop()

    def _carry_out(self) -> Ledger:
        began_at = time.monotonic()
        chosen = {
            name: trouble
            for name, trouble in self._troubles().items()
            if name in self._plan.faults and (self._subject.doorbells_are_hints or not trouble.hints_only)
        }
        schedule = Schedule(chosen, self._stage)
        self._stage.roll_out(self._plan.seconds)
        self._feed.start()
        self._gates.start()
        self._subject.begin()
        if self._push:
            self._push.start()
        if self._operators:
            self._operators.start()
        told_at = began_at
        try:
            while not self._feed.over:
                schedule.look()
                self._stage.look()
                if time.monotonic() - told_at > 1.0:
                    told_at = time.monotonic()
                    self._tell(told_at - began_at)
                time.sleep(_LOOK_SECONDS)
        finally:
            self._feed.stop()
        self._stage.heal()
        shifts = self._operators.stop() if self._operators else []
        self._drain(began_at)
        seconds = time.monotonic() - began_at
        calls = read_calls(self._call_log)
        outages = Outages(
            self._stage.outages,
            self._gates.stop(),
            calls,
            probe_seconds=self._plan.probe_seconds,
            thawed_at=sorted(incident.at for incident in self._stage.incidents.of("thawed")),
        )
        return draw_up(
            self._feed.sent,
            calls,
            self._stage.incidents,
            self._subject,
            seconds,
            outages,
            nothing_else=tuple(self._plan.faults) == ("outage",),
            rules=self._rules,
            received=read_received(self._push.log) if self._push else (),
            leases_lost=self._stage.leases_lost(),
            shifts=shifts,
            buries=bool(self._plan.old_version or self._plan.app),
        )

    def _troubles(self) -> Mapping[str, Trouble]:
        plan = self._plan
        return troubles(
            plan.lease_seconds, plan.process_seconds, plan.pace, plan.outage_seconds, one_outage=bool(plan.outage)
        )

    def _drain(self, began_at: float) -> None:
        calls, busy_at = -1, time.monotonic()
        left: object = None
        moved_at = busy_at
        deadline = busy_at + _MOST_DRAINS * self._plan.drain_seconds
        while time.monotonic() < min(deadline, moved_at + self._plan.drain_seconds):
            self._stage.look()
            waiting = self._subject.waiting()
            if (waiting, self._received_bytes) != left:
                left, moved_at = (waiting, self._received_bytes), time.monotonic()
            summary = self._system.upstreams.summary()
            now = sum(service.calls for service in summary.values())
            if now != calls:
                calls, busy_at = now, time.monotonic()
            is_settled = time.monotonic() - busy_at > self._subject.settle_seconds
            if waiting == 0 and is_settled and not (self._push and self._subject.untold()):
                return
            self._tell(time.monotonic() - began_at)
            time.sleep(_QUIET_LOOK_SECONDS)

    @property
    def _received_bytes(self) -> int:
        return self._push.received_bytes if self._push else 0

    def _tell(self, seconds: float) -> None:
        counts = self._stage.incidents.counts()
        deaths = sum(count for kind, count in counts.items() if kind.startswith("worker killed"))
        waiting = self._subject.waiting()
        self._progress(
            f"{seconds:5.0f} s  {len(self._feed.sent)} of {self._plan.messages} accepted, "
            f"{'?' if waiting is None else waiting} wait, {deaths} workers killed, "
            f"Redis killed {counts.get('Redis killed (kill -9)', 0)} times"
        )


def _settings(plan: Plan, characters: Collection[str]) -> dict[str, str]:
    platforms = {f"PARLEY_PERSONAS__{name.upper()}__PLATFORM": CHARACTERS_PLATFORM for name in characters}
    return {
        **platforms,
        **_settings_of_leases(plan),
        "PARLEY_FLUIDTALK__READ_SECONDS": str(plan.lease_seconds * PERSONA_SILENCE_LEASES),
        "PARLEY_CAPTIVATE__READ_SECONDS": str(plan.process_seconds * CHANNEL_SILENCE_LEASES),
        # Of each API one persona that joins; of Handshake also one that does not.
        "PARLEY_JOIN__SETTLE_SECONDS": "0",
        "PARLEY_PERSONAS__AVA__JOIN__MAX_EVENTS": "1",
        "PARLEY_PERSONAS__BEA__JOIN__MAX_EVENTS": "3",
        **{f"PARLEY_PERSONAS__{name.upper()}__JOIN__MAX_EVENTS": "3" for name in characters},
        "PARLEY_GATES__PROBE_SECONDS": str(plan.probe_seconds),
        # The whole timeline of the busiest conversation is a part of the evidence.
        "PARLEY_RETENTION__TIMELINE_ENTRIES": "5000",
        "PARLEY_WORKER__CONCURRENCY": "200",
        # That a lease was lost is told as a warning.
        "PARLEY_WORKER__LOG_LEVEL": "WARNING",
    }


def _settings_of_leases(plan: Plan) -> dict[str, str]:
    if plan.old_version:
        # It has one lease, for each conversation, and goes by that of the others, too.
        ttl_seconds = plan.lease_seconds
        return {
            "PARLEY_LEASE__TTL_SECONDS": str(ttl_seconds),
            "PARLEY_LEASE__RENEW_SECONDS": str(ttl_seconds / 3),
        }
    return {
        "PARLEY_LEASE__PROCESS_TTL_SECONDS": str(plan.process_seconds),
        "PARLEY_LEASE__PROCESS_RENEW_SECONDS": str(plan.process_seconds / 5),
        "PARLEY_LEASE__TTL_SECONDS": str(plan.lease_seconds * _WITHOUT_SIGNS),
        "PARLEY_LEASE__RENEW_SECONDS": str(plan.lease_seconds * _WITHOUT_SIGNS / 3),
    }


def _settings_of_notices(plan: Plan) -> dict[str, str]:
    if not plan.has_notices:
        return {}
    # All of a long run: where workers need the whole machine, senders fall behind, and none may be lost for that.
    megabytes = max(64, plan.messages // 1000)
    return {"PARLEY_NOTICES__KEEP": "true", "PARLEY_NOTICES__BYTES": str(megabytes * 1024 * 1024)}


def _settings_of_rules(rules: Rules) -> dict[str, str]:
    if not rules.confirming:
        return {}
    confirmations = {
        f"PARLEY_PERSONAS__{name.upper()}__CONSENT__CONFIRMATION": "You get no more messages from us."
        for name in rules.confirming
    }
    return {
        **confirmations,
        # One of the personas writes a second mark, in the lead's own shard.
        "PARLEY_PERSONAS__BEA__CONSENT__SCOPE": "lead",
        "PARLEY_FREQUENCY__PER_LEAD_PER_DAY": str(rules.per_day),
    }
