"""Metrics and health of real processes; the rules and the dashboard asked of a real Prometheus, if there is one."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlencode

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from simulation.servers.embedded_redis import free_port
from simulation.tied_process import tied_command
from simulation.upstreams.faults import FaultKind, FaultRule
from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

PROJECT = Path(__file__).parents[2]
FAST = {"PARLEY_JOIN__SETTLE_SECONDS": "0", "PARLEY_METRICS__MEASURE_SECONDS": "0.5"}
LEADS = 40


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def total(ports: list[int], name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels, over some processes."""
    return sum(
        sample.value
        for port in ports
        for family in text_string_to_metric_families(get(port, "/metrics")[1])
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


@pytest.fixture
def ports(eventually: Callable[..., Any]) -> Callable[..., list[int]]:
    """The ports that processes of one kind say they listen on."""

    def read(system: Any, kind: str) -> list[int]:
        count = len(system.workers if kind == "worker" else system.beats)

        def found() -> list[int]:
            logs = [system.log_of(kind, number) for number in range(count)]
            said = [re.search(r"metrics and health on 127\.0\.0\.1 port (\d+)", log) for log in logs]
            return [int(one[1]) for one in said if one] if all(said) else []

        return list(eventually(found, f"the ports of each {kind}"))

    return read


def answer_all(settings: Any, channel: dict[str, Any]) -> None:
    chats = (InboundChat(persona="ava", target=f"@lead-{n}", message="hi", channel=channel) for n in range(LEADS))
    with Producer(settings) as producer:
        producer.enqueue_many(chats)


def test_each_process_tells_its_part_and_the_sum_is_right(start, ports, channel, eventually):
    system, settings = start(workers=2, beats=2, settings=FAST)
    workers, beats = ports(system, "worker"), ports(system, "beat")
    assert len({*workers, *beats}) == 4
    answer_all(settings, channel)
    answered = {"persona": "ava", "kind": "inbound_chat", "outcome": "answered"}
    eventually(lambda: total(workers, "parley_turns_total", **answered) == LEADS, "all answers")
    assert total(workers, "parley_answer_seconds_count", persona="ava") == LEADS
    assert total(workers, "parley_turns_running") == 0
    assert total(workers, "parley_turn_slots") == 2 * settings.worker.concurrency
    assert total(workers, "parley_store_up") == 0, "the store is told of by schedulers only"
    ended = {"persona": "ava", "fate": "answered"}
    for beat in beats:
        eventually(lambda beat=beat: total([beat], "parley_store_events_ended", **ended) == LEADS, "store's figures")
        assert total([beat], "parley_store_events_unexplained") == 0
        assert total([beat], "parley_turns_total") == 0
        assert total([beat], "parley_beat_sent_total", task="tasks.ring_due") > 0
    for port in (*workers, *beats):
        assert "@lead" not in get(port, "/metrics")[1]
        assert [get(port, path)[0] for path in ("/live", "/ready")] == [200, 200]


def test_a_store_that_is_away_makes_nobody_dead_but_nobody_ready(start, ports, eventually):
    system, _ = start(settings=FAST)
    (worker,), (beat,) = ports(system, "worker"), ports(system, "beat")
    for port in (worker, beat):
        eventually(lambda port=port: get(port, "/ready")[0] == 200, "readiness")
    system.redis.stop()
    for port in (worker, beat):
        eventually(lambda port=port: get(port, "/ready")[0] == 503, "that it is not ready")
        assert get(port, "/live")[0] == 200
    eventually(lambda: total([beat], "parley_store_up") == 0, "that the store is unreachable")


def test_forked_workers_are_added_up(start, ports, channel, eventually, tmp_path):
    settings = {**FAST, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    system, loaded = start(worker_options=("--pool", "processes", "--concurrency", "2"), settings=settings)
    (worker,) = ports(system, "worker")
    answer_all(loaded, channel)
    answered = {"persona": "ava", "outcome": "answered"}
    eventually(lambda: total([worker], "parley_turns_total", **answered) == LEADS, "all answers")
    assert total([worker], "parley_ask_seconds_count") == LEADS
    assert [get(worker, path)[0] for path in ("/live", "/ready")] == [200, 200]


class Prometheus:
    """A real one that scrapes these ports, with the alert rules."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        self._port = free_port()
        config = yaml.safe_load((PROJECT / "deploy/prometheus/prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(PROJECT / "deploy/prometheus/parley.rules.yml")]
        # Nobody is to be told here.
        del config["alerting"]
        config["scrape_configs"] = [job for job in config["scrape_configs"] if job["job_name"] == "parley"]
        (job,) = config["scrape_configs"]
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [f"127.0.0.1:{port}" for port in ports]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        program = shutil.which("prometheus") or ""
        command = [program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
        self.log = folder / "prometheus.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                tied_command([*command, f"--web.listen-address=127.0.0.1:{self._port}"]), stdout=log, stderr=log
            )

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(60)

    def ask(self, path: str, **query: str) -> Any:
        """What its API answers; None while it does not."""
        try:
            status, text = get(self._port, f"/api/v1/{path}?{urlencode(query)}")
        except OSError:
            return None
        if status == 503:
            return None
        answer = json.loads(text)
        assert answer["status"] == "success", (path, query, answer)
        return answer["data"]

    def targets_up(self) -> int:
        """How many targets it could scrape."""
        targets = (self.ask("targets") or {"activeTargets": []})["activeTargets"]
        return sum(target["health"] == "up" for target in targets)


@pytest.fixture
def prometheus(tmp_path: Path, need: Callable[[str], NoReturn]) -> Iterator[Callable[[list[int]], Prometheus]]:
    if not shutil.which("prometheus"):
        need("Prometheus (Debian: prometheus) is not installed")
    started: list[Prometheus] = []

    def run(ports: list[int]) -> Prometheus:
        started.append(Prometheus(tmp_path, ports))
        return started[-1]

    yield run
    for one in started:
        one.close()


def test_a_real_prometheus_scrapes_and_evaluates_everything(start, ports, channel, eventually, prometheus):
    system, settings = start(workers=2, beats=2, settings=FAST)
    workers, beats = ports(system, "worker"), ports(system, "beat")
    server = prometheus([*workers, *beats])
    eventually(lambda: server.targets_up() == 4, "four targets that are up")
    answer_all(settings, channel)

    def value(expression: str) -> float | None:
        found = server.ask("query", query=expression)["result"]
        return float(found[0]["value"][1]) if found else None

    eventually(lambda: value("sum(parley_turns_total)") == LEADS, "all turns")
    eventually(lambda: value('max(parley_store_events_ended{fate="answered"})') == LEADS, "the store's figures")
    groups = server.ask("rules")["groups"]
    rules = {rule["name"]: rule for group in groups for rule in group["rules"]}
    eventually(
        lambda: all(rule["health"] == "ok" for group in server.ask("rules")["groups"] for rule in group["rules"]),
        "the evaluation of all rules",
    )
    assert [name for name, rule in rules.items() if rule["state"] == "firing"] == []
    dashboard = json.loads((PROJECT / "deploy/grafana/dashboards/parley.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            assert "result" in server.ask("query", query=target["expr"].replace("$persona", ".*")), panel["title"]
    # An alert that can be had at once: a key that is refused.
    with Producer(settings) as producer:
        system.upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, service="fluidtalk", status=401))
        producer.enqueue(InboundChat(persona="ava", target="@late", message="hi", channel=channel))
        firing = 'ALERTS{alertname="ParleyKeyRefused", persona="ava", alertstate="firing"}'
        eventually(lambda: value(firing), "the alert")
