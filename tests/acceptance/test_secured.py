"""TLS with certificates on both sides, and users with no more rights than docs/stores.md gives them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import NoPermissionError

from config.settings import SettingsError, load
from simulation.load import run_load
from simulation.servers.certificates import make
from simulation.servers.embedded_redis import EmbeddedRedis, free_port
from simulation.servers.redis_binary import find_redis_binary
from tests.acceptance import over_http
from worker.domain.conversation import Conversation
from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer
from worker.store import Store, StoreError
from worker.store.endpoints import Progress

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).parents[2]
SETTINGS = {"PARLEY_JOIN__MAX_EVENTS": "1", "PARLEY_JOIN__SETTLE_SECONDS": "0"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make(tmp_path_factory.mktemp("certificates"))


def secured(certificates, pair):
    """A server that also speaks TLS, to clients with a certificate only; and its port for that."""
    port = free_port()
    options = {
        "tls-port": str(port),
        "tls-cert-file": str(pair.certificate),
        "tls-key-file": str(pair.key),
        "tls-ca-cert-file": str(certificates.ca),
        "tls-auth-clients": "yes",
    }
    return EmbeddedRedis(options=options), f"rediss://127.0.0.1:{port}/0"


@pytest.fixture(scope="module")
def speaks_tls(certificates, need):
    """Valkey's package for pip is built without it."""
    options = [str(find_redis_binary()), "--port", "0", "--tls-port", str(free_port()), "--tls-cert-file", "missing"]
    said = subprocess.run(options, capture_output=True, text=True, timeout=10).stdout
    if "Failed to configure TLS" not in said:
        need("this Redis is built without TLS: install one that has it (Debian: apt-get install redis-server)")


@pytest.fixture
def tls(certificates, speaks_tls):
    """What to set for TLS."""
    return {
        "PARLEY_TLS__CA_PATH": str(certificates.ca),
        "PARLEY_TLS__CERTIFICATE_PATH": str(certificates.client.certificate),
        "PARLEY_TLS__KEY_PATH": str(certificates.client.key),
    }


def test_all_of_it_over_tls(start, certificates, tls):
    server, url = secured(certificates, certificates.server)
    with server:
        system, settings = start(settings={**SETTINGS, **tls, "PARLEY_REDIS_URL": url}, latency_seconds=0.05)
        run = run_load(system, settings, messages=60, conversations=20)
        assert run.verdict.clean, run.verdict
        with Redis(host="127.0.0.1", port=server.port, decode_responses=True) as admin:
            plain = [one for one in admin.client_list() if one["laddr"].endswith(f":{server.port}")]
            assert len(plain) == 1, "nobody but this test came without TLS"
            assert admin.client_list()[1:], "and the others are there"


def test_who_has_no_certificate_or_meets_a_stranger_does_not_come_in(certificates, tls, make_settings):
    server, url = secured(certificates, certificates.server)
    with server:
        alone = make_settings(redis_url=url, tls={"ca_path": certificates.ca})
        store = Store(alone, connections=1)
        with pytest.raises(StoreError):
            store.redis.ping()
        store.close()
    stranger, url = secured(certificates, certificates.stranger)
    with stranger:
        given = {name.removeprefix("PARLEY_TLS__").lower(): value for name, value in tls.items()}
        settings = make_settings(redis_url=url, tls=given)
        store = Store(settings, connections=1)
        with pytest.raises(StoreError, match="certificate"):
            store.redis.ping()
        store.close()


def test_celery_believes_no_stranger_either(certificates, tls, make_settings):
    from config.celery import options

    given = {name.removeprefix("PARLEY_TLS__").lower(): value for name, value in tls.items()}
    for pair, believed in ((certificates.server, True), (certificates.stranger, False)):
        server, url = secured(certificates, pair)
        with server, Celery(set_as_current=False) as app:
            app.conf.update(options(make_settings(redis_url=url, tls=given)))
            if believed:
                app.send_task("tasks.turn", args=["ava", "@lead"], retry=False)
            else:
                with pytest.raises(OperationalError, match="certificate"):
                    app.send_task("tasks.turn", args=["ava", "@lead"], retry=False)


def test_a_certificate_that_is_not_there_is_refused_at_once(tmp_path):
    with pytest.raises(SettingsError, match=r"PARLEY_TLS__CA_PATH.*not a file"):
        load(
            env_file=None,
            redis_url="rediss://localhost",
            captivate={"environment": "dev"},
            personas={"ava": {"api_key": "k"}},
            tls={"ca_path": tmp_path / "missing.pem"},
        )


def lines_of(user):
    """The lines of docs/stores.md for a user, with a password."""
    page = (ROOT / "docs" / "stores.md").read_text()
    return [line.replace("PASSWORD", "word") for line in re.findall(rf"^user {user} .*$", page, re.MULTILINE)]


@pytest.fixture
def guarded():
    """A server where only the users given to it may do anything; returns it and its administrator."""
    with EmbeddedRedis() as server, Redis.from_url(server.url, decode_responses=True) as admin:

        def let_in(*users):
            for line in users:
                _, *words = line.split()
                admin.execute_command("ACL", "SETUSER", *words)
            admin.execute_command("ACL", "LOG", "RESET")
            return server, admin

        yield let_in


def as_user(server, user="parley"):
    return server.url.replace("redis://", f"redis://{user}:word@")


def test_a_user_for_store_and_broker_needs_no_more_than_documented(
    start, guarded, channel, eventually, run_command, monkeypatch
):
    both, _ = lines_of("parley")
    (foreign,) = lines_of("producer")
    server, admin = guarded(both, foreign)
    settings = {
        **SETTINGS,
        "PARLEY_REDIS_URL": as_user(server),
        "PARLEY_WORKER__TASK_EVENTS": "true",
        "PARLEY_FOLLOW_UPS__DELAYS_SECONDS": "[1]",
    }
    system, settings = start(settings=settings, latency_seconds=0.05, workers=2)
    run = run_load(system, settings, messages=100, conversations=20)
    assert run.verdict.clean, run.verdict
    event = {"kind": "inbound_chat", "persona": "ava", "target": "@x", "message": "hi", "channel": channel}
    with Celery(broker=as_user(server, "producer"), set_as_current=False) as celery:
        celery.send_task("tasks.accept", args=[event], queue="accept", ignore_result=True)
    eventually(lambda: system.upstreams.deliveries("session-1"), "the answer to the foreign producer")
    monkeypatch.chdir(system.logs)  # away from an operator's .env
    for command in (
        ["books"],
        ["check"],
        ["dead", "list"],
        ["explain", "ava", "@x"],
        ["pause", "ava"],
        ["resume", "ava"],
    ):
        outcome = run_command(*command)
        assert outcome.status == 0, (command, outcome)
    denied = [(entry["object"], entry["context"], entry["username"]) for entry in admin.acl_log()]
    assert denied == []


def test_an_ingress_needs_no_more_rights_than_a_producer(start, guarded):
    both, _ = lines_of("parley")
    server, admin = guarded(both)
    settings = {**over_http.SETTINGS, "PARLEY_REDIS_URL": as_user(server)}
    system, _ = start(settings=settings, webs=1)
    over_http.write_and_be_answered(system)
    assert [(entry["object"], entry["context"]) for entry in admin.acl_log()] == []


@pytest.mark.parametrize("line", [0, 1])
def test_notices_need_no_more_rights_than_documented(guarded, line):
    server, admin = guarded(lines_of("parley")[line])
    settings = load(
        env_file=None, role="producer", redis_url=as_user(server), personas={"ava": {}}, notices={"keep": True}
    )
    store, lead = Store(settings, connections=2), Conversation("ava", "@x")
    try:
        store.layout.ensure()
        store.notices.keep()
        store.consents.write(lead, "out", "zoe")
        held = store.endpoints.take("crm", "one")
        store.endpoints.know("crm")
        assert store.endpoints.keep("crm", held, Progress(sent=1), "first")
        assert [each.target for each in store.notices.read().notices] == ["@x"]
        assert len(store.endpoints.beginnings()) == store.notices.shards
        assert store.notices.figures().kept == 1
        ((state, behind),) = store.endpoints.all()
        assert (state.sent, behind > 0) == (1, True)
        assert store.notices.erase(lead) == 1
    finally:
        store.close()
    assert [(entry["object"], entry["context"]) for entry in admin.acl_log()] == []


@pytest.mark.parametrize(
    ("change", "commands", "effect", "grant"),
    [
        ("+@stream", "XADD, XINFO STREAM, XTRIM, XLEN, XRANGE, XREVRANGE, XREAD, XDEL", "no notice is", " +@stream"),
        ("+memory|usage", "MEMORY USAGE", "old notices are not dropped", " +memory|usage"),
        ("-xadd", "XADD", "no notice is written", " +@stream"),
        ("-xread", "XREAD", "notices cannot be read or pushed", " +@stream"),
        ("-xinfo", "XINFO STREAM", "no notice is written after the store's clock has stepped back", " +@stream"),
    ],
)
def test_check_names_what_a_user_may_not_use_for_notices(
    guarded, run_command, monkeypatch, tmp_path, change, commands, effect, grant
):
    both, _ = lines_of("parley")
    server, _ = guarded(both.replace(f" {change}", "") if change in both else f"{both} {change}")
    monkeypatch.chdir(tmp_path)  # away from an operator's .env
    for name, value in {
        "PARLEY_REDIS_URL": as_user(server),
        "PARLEY_CAPTIVATE__ENVIRONMENT": "dev",
        "PARLEY_PERSONAS__AVA__API_KEY": "ft_sk_ava",
    }.items():
        monkeypatch.setenv(name, value)
    assert run_command("check").status == 0, "without notices nothing of it is needed"
    monkeypatch.setenv("PARLEY_NOTICES__KEEP", "true")
    checked = run_command("check", "--json")
    assert checked.status == 1
    (found,) = [each for each in json.loads(checked.out) if each["level"] == "failure"]
    assert found["check"] == "notices"
    assert f"may not use {commands}: {effect}" in found["means"]
    assert f"ACL SETUSER USER{grant}, and" in found["remedy"]
    # All else works, and says what it can.
    assert run_command("status").status == 0
    assert run_command("books").status == 0


@pytest.mark.slow
def test_a_user_for_the_store_alone_needs_no_more_than_documented(start, guarded):
    _, store_alone = lines_of("parley")
    server, admin = guarded(store_alone)
    with EmbeddedRedis() as broker:
        settings = {**SETTINGS, "PARLEY_REDIS_URL": as_user(server), "PARLEY_BROKER_URL": broker.url}
        system, settings = start(settings=settings, latency_seconds=0.05)
        run = run_load(system, settings, messages=100, conversations=20)
    assert run.verdict.clean, run.verdict
    assert [(entry["object"], entry["context"]) for entry in admin.acl_log()] == []


@pytest.mark.parametrize(
    "command", [("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "SET", "appendonly", "no"), ("GET", "other"), ("SHUTDOWN",)]
)
def test_such_a_user_can_do_no_harm_elsewhere(guarded, command):
    both, _ = lines_of("parley")
    server, _ = guarded(both)
    with Redis.from_url(as_user(server)) as user, pytest.raises(NoPermissionError):
        user.execute_command(*command)


def test_a_wrong_password_is_said_and_not_shown(guarded, make_settings, channel):
    both, _ = lines_of("parley")
    server, _ = guarded(both)
    url = as_user(server).replace("word", "PLANTED")
    event = InboundChat(persona="ava", target="@x", message="hi", channel=channel)
    with Producer(make_settings(redis_url=url)) as producer, pytest.raises(StoreError) as refused:
        producer.enqueue(event)
    assert "PLANTED" not in repr(refused.value)
