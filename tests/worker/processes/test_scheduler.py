"""Beat's rhythm: on a real broker, by a clock in the test's hand."""

from __future__ import annotations

import json
import threading
from collections import Counter
from types import SimpleNamespace

import pytest
from celery import Celery
from redis import Redis

from config.celery import options
from simulation.servers.embedded_redis import EmbeddedRedis
from worker.processes import scheduler
from worker.processes.scheduler import MOST_WAITING, SteadyScheduler

# In the two seconds for which the answer of the broker holds.
ROUNDS = 5


class Clock:
    """Seconds that pass when a test says so; the time of day stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """The only clock of all beats."""
    clock = Clock()
    monkeypatch.setattr(scheduler, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


@pytest.fixture
def make_beat(make_settings, clock):
    """Beats as the real options make them; closed at the end."""
    apps, beats = [], []

    def make(**overrides):
        app = Celery(set_as_current=False)
        app.conf.update(options(make_settings(**overrides)))
        apps.append(app)
        beats.append(SteadyScheduler(app, max_interval=0.5))
        return beats[-1]

    yield make
    for made in beats:
        made.close()
    for app in apps:
        app.close()


@pytest.fixture
def waiting(store):
    """The tasks that wait in beat's queue, with their number."""

    def count():
        return Counter(json.loads(message)["headers"]["task"] for message in store.redis.lrange("schedule", 0, -1))

    return count


def run(clock, beats, seconds, between=lambda: None):
    """Let beats tick for so long, sleeping between two ticks as they ask for."""
    until = clock.now + seconds
    while clock.now < until:
        clock.now += max(0.001, min([each.tick() for each in beats]))
        between()


def test_each_job_is_sent_at_once_and_then_in_its_rhythm(make_beat, clock, store, waiting):
    sent = Counter()

    def workers_take_all():
        sent.update(waiting())
        store.redis.delete("schedule")

    run(clock, [make_beat()], 9.9, workers_take_all)
    assert sent == {"tasks.ring_due": 20, "tasks.trim": 1}


def test_what_piles_up_while_no_worker_runs_is_bounded_for_any_number_of_beats(make_beat, clock, waiting):
    run(clock, [make_beat() for _ in range(3)], 3 * 86_400 / 100)
    piled = waiting()
    assert MOST_WAITING <= piled.total() < MOST_WAITING + 3 * ROUNDS
    assert piled["tasks.ring_due"] > 1


def test_it_goes_on_as_soon_as_workers_take_messages_again(make_beat, clock, store, waiting):
    steady = make_beat()
    run(clock, [steady], 60)
    store.redis.delete("schedule")
    run(clock, [steady], 1)
    assert waiting()["tasks.ring_due"] >= 1


def test_messages_carry_no_time_of_day(make_beat, clock, store):
    run(clock, [make_beat()], 1)
    for message in store.redis.lrange("schedule", 0, -1):
        headers = json.loads(message)["headers"]
        assert (headers["expires"], headers["eta"]) == (None, None)


def test_it_looks_again_when_the_next_job_is_due(make_beat, clock, store):
    assert store.redis.llen("schedule") == 0
    steady = make_beat()
    assert steady.tick() == pytest.approx(0.5)
    clock.now += 0.3
    assert steady.tick() == pytest.approx(0.2)
    clock.now += 7
    assert steady.tick() == pytest.approx(0.5), "what was missed is not made up for"


def test_it_waits_for_a_broker_that_is_away_and_then_goes_on(make_beat, clock, caplog, eventually):
    def said():
        return [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")]

    with EmbeddedRedis(appendfsync="always") as broker, Redis.from_url(broker.url) as redis:
        steady = make_beat(redis_url=broker.url)
        steady.tick()
        assert redis.delete("schedule") == 1
        broker.kill()
        clock.now += 1
        steady.tick()
        clock.now += 1
        waits = threading.Thread(target=steady.tick, daemon=True)
        waits.start()
        away = "broker cannot be reached (ConnectionError): no task is sent, this scheduler waits for it"
        eventually(lambda: away in said(), "it says so")
        clock.now += 60
        eventually(lambda: steady.ticked_at == clock.now, "each attempt is progress, so it stays live")
        assert not steady.broker_answers
        broker.restart()
        waits.join(10)
        assert redis.llen("schedule") >= 1
        assert steady.broker_answers
    assert len(said()) == 2
    assert said()[0] == away
    assert said()[1].startswith("broker answers again after ")


def test_it_notices_a_broker_that_is_away_also_when_it_asks_for_room(make_beat, clock, caplog):
    with EmbeddedRedis() as broker:
        steady = make_beat(redis_url=broker.url)
        steady.tick()
        broker.kill()
        clock.now += 60
        steady.tick()
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "broker cannot be reached (ConnectionError): no task is sent, this scheduler waits for it"
    ]


REFUSALS = {
    "OOM": ("CONFIG SET maxmemory 100kb", "CONFIG SET maxmemory 0"),
    "NOREPLICAS": ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"),
    "READONLY": ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
    "NOPERM": ("ACL SETUSER default -@write", "ACL SETUSER default +@all"),
    "NOAUTH": ("CONFIG SET requirepass x", "CONFIG SET requirepass ''"),
}


@pytest.mark.parametrize("code", REFUSALS)
def test_it_holds_on_when_the_broker_answers_with_an_error(make_beat, clock, caplog, eventually, code):
    refuse, allow = (command.replace("''", "").split(" ") for command in REFUSALS[code])
    with EmbeddedRedis() as broker, Redis.from_url(broker.url) as redis:
        steady = make_beat(redis_url=broker.url)
        steady.tick()
        redis.delete("schedule")
        redis.execute_command(*refuse)
        if code == "NOAUTH":
            steady.close()
        ticks = threading.Thread(target=run, args=(clock, [steady], 60), daemon=True)
        ticks.start()
        eventually(lambda: f"({code})" in caplog.text, "it says so")
        redis.execute_command(*allow)
        ticks.join(20)
        assert not ticks.is_alive()
        run(clock, [steady], 1)
        assert redis.llen("schedule") >= 1
    lines = [record.getMessage() for record in caplog.records if record.name == "parley.beat"]
    assert len([line for line in lines if f"({code})" in line]) == 1, lines
    assert lines[-1].startswith("broker answers again after ")
