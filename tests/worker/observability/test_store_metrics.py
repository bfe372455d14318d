"""What the store holds, as Prometheus sees it."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from worker.observability.store_metrics import StoreFigures
from worker.store import StoreError
from worker.store.views.figures import Figures, Waiting


@pytest.fixture
def scene():
    """A collector over figures and a clock of the test's."""

    class Scene:
        now, away, fault = 1000.0, False, None
        figures = Figures(
            counters={"ava": {"accepted": 10, "answered": 6, "dead": 1}, "other": {"accepted": 1, "dead": 1}},
            waiting={("ava", "hold"): Waiting(2, 3, 90.0)},
            gates={"ava": ["paused"], "bea": []},
            opted_out={"ava": 3, "*": 1},
            acks_owed={"cleo": 2},
            agenda=2,
            queues={"turns": 4},
        )
        measured = 0

        def measure(self):
            self.measured += 1
            if self.away:
                raise StoreError
            if self.fault:
                raise self.fault
            return self.figures

        def served(self):
            registry = CollectorRegistry()
            registry.register(self.collector)
            lines = generate_latest(registry).decode().splitlines()
            return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))

    made = Scene()
    made.collector = StoreFigures(made.measure, ["bea", "ava"], 15.0, lambda: made.now)
    return made


def test_before_the_first_measurement_only_that_is_told(scene):
    assert scene.served() == {"parley_store_up": "0.0"}


def test_the_figures_are_served(scene):
    scene.collector.look()
    served = scene.served()
    assert served["parley_store_up"] == "1.0"
    assert served['parley_store_events_accepted{persona="ava"}'] == "10.0"
    assert served['parley_store_events_ended{fate="answered",persona="ava"}'] == "6.0"
    assert served['parley_store_events_waiting{persona="ava"}'] == "3.0"
    assert served['parley_store_events_unexplained{persona="ava"}'] == "0.0"
    assert served['parley_store_oldest_event_seconds{persona="ava",reason="hold"}'] == "90.0"
    assert served['parley_store_opted_out_leads{persona="ava"}'] == "3.0"
    assert served['parley_store_opted_out_leads{persona="bea"}'] == "0.0"
    assert served['parley_store_opted_out_leads{persona="*"}'] == "1.0"
    assert served['parley_store_acknowledgements_owed{persona="cleo"}'] == "2.0"
    assert served['parley_store_conversations_waiting{persona="ava",reason="hold"}'] == "2.0"
    assert served['parley_store_gate_closed{gate="paused",persona="ava"}'] == "1.0"
    assert served['parley_store_gate_closed{gate="circuit",persona="bea"}'] == "0.0"
    assert served['parley_store_queue_messages{queue="turns"}'] == "4.0"


def test_a_persona_has_its_series_before_its_first_event(scene):
    scene.collector.look()
    assert scene.served()['parley_store_events_waiting{persona="bea"}'] == "0.0"


def test_an_estimate_is_no_proof_that_the_books_are_in_order(scene):
    scene.figures.sampled = True
    scene.collector.look()
    served = scene.served()
    assert served["parley_store_sampled"] == "1.0"
    assert not [name for name in served if "unexplained" in name]


def test_many_scrapes_are_one_measurement(scene):
    scene.collector.look()
    for _ in range(10):
        scene.served()
    assert scene.measured == 1


def test_old_figures_are_not_told_for_new_ones(scene, caplog):
    scene.collector.look()
    scene.away = True
    scene.collector.look()
    scene.collector.look()
    assert len(caplog.records) == 1
    assert scene.served()["parley_store_up"] == "0.0"
    assert len(scene.served()) > 1
    scene.now += 60
    assert scene.served() == {"parley_store_up": "0.0"}
    assert not scene.collector.store_answers()


def test_it_measures_by_itself(scene, eventually):
    scene.collector.start()
    eventually(scene.collector.store_answers, "a measurement")
    scene.collector.stop()


def test_no_unexpected_error_ends_the_measuring(scene, eventually, caplog):
    def fault_at_first():
        scene.measured += 1
        if scene.measured <= 2:
            raise KeyError("PLANTED")
        return scene.figures

    collector = StoreFigures(fault_at_first, ["ava"], 0.01)
    collector.start()
    eventually(collector.store_answers, "a measurement")
    collector.stop()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert "in the figures of the store: KeyError" in said[0]
    assert "PLANTED" not in caplog.text


def test_a_measurement_that_ended_with_an_unexpected_error_is_no_answer_of_the_store(scene, caplog):
    scene.collector.look()
    assert scene.collector.store_answers()
    scene.fault = KeyError("PLANTED")
    scene.collector.look()
    assert not scene.collector.store_answers()
    assert "PLANTED" not in caplog.text
