"""Checks of the store and the settings, on a real server with real faults."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from config.addresses import parse
from simulation.servers.embedded_redis import EmbeddedRedis
from worker.observability import checks
from worker.processes import start_up
from worker.processes.start_up import StartUpCheck, examine
from worker.store import Store
from worker.store.redis.server_facts import Facts

ROOT = Path(__file__).parents[3]

GOOD = Facts(
    product="Redis 7.4.1",
    version="7.4.1",
    mode="standalone",
    append_only=True,
    append_only_writable=True,
    sync="everysec",
    eviction="noeviction",
    idle_seconds=0,
    clock_skew_seconds=0.1,
)


def with_facts(**changes):
    found = checks.of_store(parse("redis://store"), {"": replace(GOOD, **changes)})
    return {finding.check: finding for finding in found}


def test_a_good_server_is_good():
    assert {finding.level for finding in with_facts().values()} == {"ok"}


@pytest.mark.parametrize(
    ("check", "changes", "level", "loses_data", "remedy"),
    [
        ("version", {"version": "6.0.16"}, "failure", False, "6.2"),
        ("version", {"version": "10.0.0"}, "ok", False, ""),
        ("version", {"version": None}, "warning", False, "operator"),
        ("mode", {"mode": "cluster"}, "failure", False, "PARLEY_REDIS_URL"),
        ("mode", {"mode": None}, "ok", False, ""),
        ("append-only file", {"append_only": False}, "failure", True, "redis-cli CONFIG SET appendonly yes"),
        ("append-only file", {"append_only": None}, "warning", False, "appendonly"),
        ("append-only file", {"append_only_writable": False}, "failure", False, "redis-cli INFO persistence"),
        ("appendfsync", {"sync": "no"}, "warning", False, "redis-cli CONFIG SET appendfsync everysec"),
        ("appendfsync", {"sync": "always"}, "ok", False, ""),
        ("appendfsync", {"sync": None}, "warning", False, "appendfsync"),
        ("maxmemory-policy", {"eviction": "volatile-lru"}, "failure", True, "maxmemory-policy noeviction"),
        ("maxmemory-policy", {"eviction": None}, "warning", False, "noeviction"),
        ("timeout", {"idle_seconds": 300}, "warning", False, "redis-cli CONFIG SET timeout 0"),
        ("timeout", {"idle_seconds": None}, "warning", False, "timeout"),
        ("clock", {"clock_skew_seconds": -7.0}, "warning", False, "NTP"),
    ],
)
def test_each_fault_is_found_with_what_to_do(check, changes, level, loses_data, remedy):
    finding = with_facts(**changes)[check]
    assert (finding.level, finding.loses_data) == (level, loses_data)
    assert remedy in finding.remedy
    assert (finding.level == "ok") or (finding.means and finding.remedy)


def test_settings_name_where_answers_go_without_secrets(make_settings):
    settings = make_settings(captivate={"environment": "prod"})
    said = " ".join(finding.means for finding in checks.of_settings(settings))
    assert "environment prod" in said
    assert "ava, bea" in said
    gateway = {"base_url": "https://gateway.example.com", "headers": {"X-Gateway": "PLANTED"}}
    said = " ".join(finding.means for finding in checks.of_settings(make_settings(captivate=gateway)))
    assert "gateway.example.com" in said
    assert "PLANTED" not in said


@pytest.fixture
def server():
    """A server of its own, to be spoiled."""
    with EmbeddedRedis() as own:
        yield own


@pytest.fixture
def admin(server):
    with Redis.from_url(server.url, decode_responses=True) as redis:
        yield redis


@pytest.fixture
def look(server, make_settings):
    """Findings of the real server by name of their check."""

    def run(url=None):
        settings = make_settings(redis_url=url or server.url)
        store = Store(settings, connections=1)
        try:
            found, answered = examine(settings, store)
        finally:
            store.close()
        return {finding.check: finding for finding in found}, answered

    return run


def test_the_embedded_server_passes(look):
    found, answered = look()
    assert answered
    assert {finding.level for finding in found.values()} == {"ok"}, found
    assert len(found) == 16


def test_messages_that_nobody_reads_are_named(look, admin):
    admin.lpush("acept", '{"body": "", "properties": {}}')
    found, _ = look()
    admin.delete("acept")
    assert found["queues"].level == "warning"
    assert found["queues"].means == "messages lie in queues that no worker reads (acept: 1)"


def test_a_server_that_answers_with_an_error_is_not_one_that_cannot_be_reached(look, admin):
    admin.config_set("requirepass", "another")
    try:
        found, answered = look()
    finally:
        admin.config_set("requirepass", "")
    assert not answered
    assert "wants another password (NOAUTH)" in found["store"].means
    assert "PARLEY_REDIS_URL" in found["store"].remedy


def test_a_spoiled_server_fails(look, admin):
    admin.config_set("appendonly", "no")
    admin.config_set("maxmemory-policy", "allkeys-lru")
    admin.config_set("timeout", "30")
    found, _ = look()
    faults = {check: finding.level for check, finding in found.items() if finding.level != "ok"}
    assert faults == {"append-only file": "failure", "maxmemory-policy": "failure", "timeout": "warning"}


def test_a_managed_server_that_hides_its_configuration(look, server, admin):
    """INFO still tells what decides about losing data; only what stands in CONFIG alone cannot be seen."""
    admin.acl_setuser("app", enabled=True, passwords=["+word"], keys="*", categories=["+@all"], commands=["-config"])
    found, _ = look(server.url.replace("redis://", "redis://app:word@"))
    unseen = {check for check, finding in found.items() if finding.level == "warning"}
    assert unseen == {"appendfsync", "timeout"}
    admin.execute_command("ACL", "SETUSER", "app", "-info")
    found, _ = look(server.url.replace("redis://", "redis://app:word@"))
    unseen = {check for check, finding in found.items() if finding.level == "warning"}
    assert unseen == {"version", "append-only file", "appendfsync", "maxmemory-policy", "memory", "timeout"}


def test_a_server_that_is_away(look):
    found, answered = look("redis://user:PLANTED@127.0.0.1:1/3")
    assert not answered
    assert found["store"].level == "failure"
    assert "127.0.0.1:1/3" in found["store"].means
    assert "PLANTED" not in repr(found)


def test_a_worker_refuses_what_is_certain_to_lose_events(server, admin, make_settings, caplog):
    admin.config_set("maxmemory-policy", "allkeys-lru")
    reasons = []
    StartUpCheck(make_settings(redis_url=server.url), reasons.append).begin()
    assert len(reasons) == 1
    assert "allkeys-lru" in reasons[0]
    assert "PARLEY_WORKER__REQUIRE_DURABLE_STORE=false" in reasons[0]
    allowed = make_settings(redis_url=server.url, worker={"require_durable_store": False})
    caplog.clear()
    StartUpCheck(allowed, reasons.append).begin()
    assert len(reasons) == 1
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "redis-cli CONFIG SET maxmemory-policy noeviction" in errors[0]


def test_a_warning_does_not_refuse(server, admin, make_settings):
    admin.config_set("timeout", "30")
    reasons = []
    StartUpCheck(make_settings(redis_url=server.url), reasons.append).begin()
    assert reasons == []


def test_the_check_is_made_later_when_the_store_first_answers(server, admin, make_settings, eventually):
    """It does not let anybody in at first; then it does, and its policy is found out."""
    admin.config_set("maxmemory-policy", "allkeys-lru")
    admin.config_set("requirepass", "word")
    reasons = []
    check = StartUpCheck(make_settings(redis_url=server.url), reasons.append, again_seconds=0.05)
    check.begin()
    assert reasons == [], "a store that is away is waited for, as before"
    admin.config_set("requirepass", "")
    eventually(lambda: reasons, "the check")
    check.stop()
    assert "allkeys-lru" in reasons[0]


def test_the_findings_are_logged_once_while_the_store_is_away(make_settings, caplog, eventually, monkeypatch):
    looks = []
    monkeypatch.setattr(start_up, "examine", lambda *given: looks.append(1) or examine(*given))
    check = StartUpCheck(make_settings(redis_url="redis://127.0.0.1:1/0"), pytest.fail, again_seconds=0.01)
    check.begin()
    eventually(lambda: len(looks) > 1, "a second look")
    check.stop()
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


def test_a_store_that_answers_and_takes_no_writes_is_a_trouble_and_the_check_is_made_again(
    server, admin, make_settings, caplog, eventually
):
    admin.replicaof("127.0.0.1", 1)
    check = StartUpCheck(make_settings(redis_url=server.url, notices={"keep": True}), pytest.fail, again_seconds=0.01)
    check.begin()
    eventually(
        lambda: "not checked yet: it is a replica (READONLY): the start-up check is repeated" in caplog.text,
        "the trouble",
    )
    assert not check.passed()
    admin.replicaof("NO", "ONE")
    eventually(check.passed, "the check")
    assert "unexpected" not in caplog.text


def test_a_check_that_ends_with_an_unexpected_error_is_not_passed_and_is_made_again(
    server, admin, make_settings, caplog, eventually, monkeypatch
):
    looks = []

    def fault_at_first(*given):
        looks.append(1)
        if len(looks) <= 3:
            raise KeyError("PLANTED")
        return examine(*given)

    monkeypatch.setattr(start_up, "examine", fault_at_first)
    check = StartUpCheck(make_settings(redis_url=server.url), pytest.fail, again_seconds=0.01)
    check.begin()
    assert not check.passed()
    eventually(check.passed, "the check")
    said = [record.getMessage() for record in caplog.records if "unexpected" in record.getMessage()]
    assert len(said) == 1
    assert "in the start-up check: KeyError" in said[0]
    assert "PLANTED" not in caplog.text


@pytest.fixture
def process(server, tmp_path):
    """Run one of our programs as a process of its own."""

    def run(*words):
        environment = {
            "PYTHONPATH": str(ROOT),
            "PARLEY_REDIS_URL": server.url,
            "PARLEY_CAPTIVATE__ENVIRONMENT": "dev",
            "PARLEY_PERSONAS__AVA__API_KEY": "ft_sk_PLANTED",
        }
        command = [sys.executable, "-m", *words]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    return run


def test_the_command_as_a_process(process, admin):
    good = process("worker.cli", "check")
    assert good.returncode == 0, good.stderr
    assert good.stdout.count("\n") == 20, "16 checks; no worker and no beat, each with what to do"
    assert "PLANTED" not in good.stdout
    admin.config_set("appendonly", "no")
    bad = process("worker.cli", "check", "--json")
    assert (bad.returncode, bad.stderr) == (1, "Failed: append-only file.\n")
    assert [found["check"] for found in json.loads(bad.stdout) if found["level"] == "failure"] == ["append-only file"]


def test_a_worker_process_does_not_start_on_a_store_that_forgets(process, admin):
    admin.config_set("appendonly", "no")
    ended = process("celery", "-A", "worker", "worker", "-c", "1")
    assert ended.returncode == 1
    assert "worker ends: append-only file off" in ended.stderr
    assert "worker ready" not in ended.stderr
