"""What goes wrong in a chaos run, each kind with its own rhythm."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from redis.exceptions import RedisError

from simulation.chaos import store_troubles, upstream_outages
from simulation.chaos.stage import Stage
from simulation.upstreams.call_log import SERVICES, Service
from simulation.upstreams.faults import FaultKind, FaultRule

_QUEUES = ("turns", "outreach", "schedule")
_STORM_SECONDS = 2.0
_AWAY_SECONDS = (0.2, 1.5)
_RECEIVER_AWAY_SECONDS = (0.2, 3.0)
# The right of a killed sender outlives it: killed more often, none would send.
_SENDER_SECONDS = 8.0
# A call that hangs ends before a frozen worker is taken for dead (four fifths of that time are left at least): else its
# heir's call would overlap it, which cannot be prevented (docs/ordering.md, section 8). In times of a process.
_HANG_LEASES = 0.7
# The silence of the channel that the workers are told to bear: shorter than a hang.
CHANNEL_SILENCE_LEASES = 0.5
# A persona call of so many leases is answered: nothing but renewal keeps another turn from making it again. One that is
# silent for longer than the workers bear ends with a time-out after many renewals.
_LONG_LEASES = 3.5
PERSONA_SILENCE_LEASES = 4.0
_ENDLESS_LEASES = 4.5
# For so long calls begin that take so long.
_LONG_SECONDS = 2.0
# Between two times at which the store is full, and so on.
_STORE_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """A kind of trouble. ``every_seconds``: how often on average; 0: once, at the start. ``hints_only``: it takes
    Celery messages away, which only a system may suffer to which they are hints, sets the clock of Parley's scripts, or
    kills those who push notices or get them.
    ``not_during``: while this holds it waits."""

    every_seconds: float
    strike: Callable[[Stage], None]
    hints_only: bool = False
    not_during: Callable[[Stage], bool] = lambda _: False


def _kill_worker(stage: Stage) -> None:
    living = stage.living()
    if living:
        stage.kill(stage.dice.choice(living))


def _stop_worker(stage: Stage) -> None:
    living = [worker for worker in stage.living() if not stage.is_stopping(worker)]
    if living:
        stage.stop(stage.dice.choice(living))


def _freeze_worker(stage: Stage, lease_seconds: float) -> None:
    living = stage.living()
    if len(living) > 1 and not stage.frozen:
        stage.freeze(stage.dice.choice(living), 3 * lease_seconds)


def _kill_redis(stage: Stage) -> None:
    stage.system.redis.kill()
    stage.store_is_well = False
    stage.incidents.note("Redis killed (kill -9)")

    def restart() -> None:
        stage.system.redis.restart()
        stage.store_is_well = True
        stage.incidents.note("Redis back")

    stage.later(stage.dice.uniform(*_AWAY_SECONDS), restart)


def _cut_connections(stage: Stage) -> None:
    kinds = ((FaultKind.DROP, 0.003), (FaultKind.ACT_THEN_DROP, 0.003), (FaultKind.HALF_ANSWER, 0.002))
    rules = [
        FaultRule(kind=kind, service=service, probability=probability)
        for service in SERVICES
        for kind, probability in kinds
    ]
    stage.tell_upstreams("cut", rules)


def _hang(stage: Stage, process_seconds: float) -> None:
    seconds = process_seconds * _HANG_LEASES
    rules = [
        FaultRule(kind=FaultKind.HANG, service=service, probability=0.002, delay_seconds=seconds)
        for service in SERVICES
    ]
    stage.tell_upstreams("hang", rules)


def _long_calls(stage: Stage, lease_seconds: float) -> None:
    kinds = ((FaultKind.DELAY, 0.15, _LONG_LEASES), (FaultKind.HANG, 0.03, _ENDLESS_LEASES))
    rules = [
        FaultRule(kind=kind, service="fluidtalk", probability=probability, delay_seconds=lease_seconds * leases)
        for kind, probability, leases in kinds
    ]
    stage.tell_upstreams("long", rules)
    stage.long_calls_until = time.monotonic() + _LONG_SECONDS + lease_seconds * _ENDLESS_LEASES
    stage.incidents.note("persona calls of more than three leases")
    stage.later(_LONG_SECONDS, lambda: stage.tell_upstreams("long", []))


def _long_calls_last(stage: Stage) -> bool:
    return time.monotonic() < stage.long_calls_until


def _store_or_upstream_away(stage: Stage) -> bool:
    return stage.outage_lasts or not stage.store_is_well


def _storm(stage: Stage) -> None:
    service: Service = stage.dice.choice(SERVICES)
    status = stage.dice.choice((429, 503) if service == "captivate" else (429,))
    rule = FaultRule(
        kind=FaultKind.ANSWER,
        service=service,
        status=status,
        retry_after_seconds=1.0,
        retry_after_as_date=stage.dice.random() < 0.5,
    )
    stage.tell_upstreams("storm", [rule])
    stage.incidents.note("storm of 429 and 503", f"{service} {status}")
    stage.storms = True

    def end() -> None:
        stage.tell_upstreams("storm", [])
        stage.storms = False

    stage.later(_STORM_SECONDS, end)


def _doorbells(stage: Stage) -> None:
    try:
        if stage.dice.random() < 0.5:
            stage.subject.redis.delete(*_QUEUES)
            stage.incidents.note("all doorbells deleted")
            return
        for queue in _QUEUES:
            rung = stage.subject.redis.lrange(queue, 0, -1)
            if rung:
                stage.subject.redis.rpush(queue, *rung)
        stage.incidents.note("all doorbells doubled")
    except RedisError:
        return


def _beats(stage: Stage) -> None:
    running = [beat for beat in stage.system.beats if beat.poll() is None]
    if len(running) > 2:
        victim = stage.dice.choice(running)
        victim.kill()
        victim.wait()
        stage.incidents.note("beat killed (kill -9)")
    else:
        stage.start_beat()
        stage.incidents.note("third beat started")


def _sends(stage: Stage) -> bool:
    return stage.push is not None and stage.push.has_sender()


def _kill_sender(stage: Stage) -> None:
    if stage.push:
        stage.push.kill_senders(1)


def _kill_receiver(stage: Stage) -> None:
    if stage.push and stage.push.kill_receiver():
        stage.later(stage.dice.uniform(*_RECEIVER_AWAY_SECONDS), stage.push.start_receiver)


def _kill_doors(stage: Stage) -> None:
    if stage.push:
        _kill_receiver(stage)
        stage.push.kill_senders(2)
        _kill_redis(stage)
        stage.incidents.note("sender, receiver and store killed at once")


def troubles(
    lease_seconds: float, process_seconds: float, pace: float, outage_seconds: float, *, one_outage: bool = False
) -> Mapping[str, Trouble]:
    """All kinds by name. ``lease_seconds``, ``process_seconds``: as in ``run.Plan``. ``pace``: 1 is the usual rhythm,
    0.5 twice as often. ``outage_seconds``: how long an upstream is unreachable. ``one_outage``: once, from the start,
    instead of again and again."""

    def every(seconds: float, strike: Callable[[Stage], None], *, hints_only: bool = False) -> Trouble:
        return Trouble(seconds * pace, strike, hints_only)

    def of_workers(seconds: float, strike: Callable[[Stage], None]) -> Trouble:
        # On a machine with other work a worker takes long to start: without this all would always be killed before.
        return Trouble(seconds * pace, strike, not_during=lambda stage: not stage.somebody_works())

    def of_store(strike: Callable[[Stage, float], None]) -> Trouble:
        # A call that outlives its lease is asked again, and overlaps: one or the other.
        return Trouble(
            _STORE_SECONDS * pace,
            lambda stage: strike(stage, lease_seconds),
            not_during=lambda stage: _long_calls_last(stage) or not stage.store_is_well,
        )

    # A worker that is frozen during such a call loses its lease, and its heir's call overlaps: one or the other.
    freeze = Trouble(25.0 * pace, lambda stage: _freeze_worker(stage, lease_seconds), not_during=_long_calls_last)
    long_calls = Trouble(
        40.0 * pace,
        lambda stage: _long_calls(stage, lease_seconds),
        not_during=lambda stage: bool(stage.frozen) or _long_calls_last(stage) or _store_or_upstream_away(stage),
    )
    # What happens to all calls of an upstream is an outage, and nothing beside it lets any through.
    storm = Trouble(20.0 * pace, _storm, not_during=lambda stage: stage.outage_lasts)
    outage = Trouble(
        0.0 if one_outage else max(25.0 * pace, 2 * outage_seconds),
        lambda stage: upstream_outages.strike(stage, outage_seconds),
        not_during=lambda stage: (
            bool(stage.frozen) or _long_calls_last(stage) or stage.storms or _store_or_upstream_away(stage)
        ),
    )
    # An interval between two tries ends early when the clock steps forward.
    step = Trouble(20.0 * pace, store_troubles.clock_step, hints_only=True, not_during=_store_or_upstream_away)
    redis = Trouble(35.0 * pace, _kill_redis, not_during=lambda stage: not stage.store_is_well)

    return {
        "kill": of_workers(5.0, _kill_worker),
        "stop": of_workers(20.0, _stop_worker),
        "freeze": freeze,
        "redis": redis,
        "cut": every(0.0, _cut_connections),
        "hang": every(0.0, lambda stage: _hang(stage, process_seconds)),
        "long": long_calls,
        "storm": storm,
        "outage": outage,
        "full": of_store(store_troubles.full),
        "refused": of_store(store_troubles.refused),
        "replica": of_store(store_troubles.replica_away),
        "step": step,
        "doorbells": every(7.0, _doorbells, hints_only=True),
        "beats": every(15.0, _beats, hints_only=True),
        "sender": Trouble(
            max(_SENDER_SECONDS, 12.0 * pace), _kill_sender, hints_only=True, not_during=lambda stage: not _sends(stage)
        ),
        "receiver": every(15.0, _kill_receiver, hints_only=True),
        "doors": Trouble(
            45.0 * pace,
            _kill_doors,
            hints_only=True,
            not_during=lambda stage: not (stage.store_is_well and _sends(stage)),
        ),
    }


# What a version before the promises about them does not bear, or, the clock, does not have.
NEW = ("outage", "full", "refused", "replica", "step", "sender", "receiver", "doors")
# Ways in which a worker is started, not things that strike.
BIRTHS = ("crash", "clock")


class Schedule:
    """When what strikes: drawn from the stage's dice, so that a seed gives the same order of trouble."""

    def __init__(self, chosen: Mapping[str, Trouble], stage: Stage) -> None:
        self._stage = stage
        self._next: dict[str, float] = {}
        self._chosen = dict(chosen)
        now = time.monotonic()
        for name, trouble in self._chosen.items():
            if trouble.every_seconds:
                self._next[name] = now + self._pause(trouble)
            else:
                trouble.strike(stage)

    def look(self) -> None:
        """Let strike what is due."""
        now = time.monotonic()
        # In the order in which they became due, so that of two that wait for each other's end each has its turn.
        for name, at in sorted(self._next.items(), key=lambda due: due[1]):
            if at <= now and not self._chosen[name].not_during(self._stage):
                self._chosen[name].strike(self._stage)
                self._next[name] = now + self._pause(self._chosen[name])

    def _pause(self, trouble: Trouble) -> float:
        return trouble.every_seconds * self._stage.dice.uniform(0.5, 1.5)
