"""The web process: how it starts and ends."""

from __future__ import annotations

import errno
import logging
import signal
import socket

import pytest

from worker.web.__main__ import main

NEEDED = {"PARLEY_REDIS_URL": "redis://127.0.0.1:1/0", "PARLEY_PERSONAS": "ava", "PARLEY_METRICS__PORT": "0"}


@pytest.fixture
def refused(monkeypatch, tmp_path, capsys):
    """Start it in this process, with settings that cannot be; returns what it says. A process of its own takes a second
    to start; that it ends with the same status is shown once (push/test_process.py)."""
    root, on_sigterm = logging.getLogger(), signal.getsignal(signal.SIGTERM)
    handlers, level = root.handlers[:], root.level
    monkeypatch.chdir(tmp_path)

    def start(**variables):
        for name, value in {**NEEDED, **variables}.items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        assert main() == 2
        return capsys.readouterr().err

    yield start
    signal.signal(signal.SIGTERM, on_sigterm)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_without_a_traceback(start_web, redis_server, number, heeds_ctrl_c):
    web = start_web(redis_server.url)
    web.process.send_signal(number)
    assert web.process.wait(60) in (0, -number)
    assert "Traceback" not in web.log.read_text()


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"PARLEY_PERSONAS": ""}, "no persona is configured"),
        ({"PARLEY_INGRESS__SOURCES__SHOP__TOKEN": "short"}, "PARLEY_INGRESS__SOURCES__SHOP__TOKEN"),
        ({"PARLEY_INGRESS__ENABLED": "false"}, "nothing is switched on: set PARLEY_INGRESS__ENABLED or"),
        (
            {
                "PARLEY_INGRESS__SOURCES__SHOP__TOKEN": "token-of-the-shop-0123456789",
                "PARLEY_INGRESS__SOURCES__SHOP__PERSONAS": "zoe",
            },
            "PARLEY_INGRESS__SOURCES__SHOP__PERSONAS: zoe is no configured persona",
        ),
    ],
)
def test_what_cannot_be_ends_it_with_what_to_do(refused, variables, says):
    assert says in refused(**variables)


def test_a_port_that_is_taken_is_told(refused):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused(PARLEY_INGRESS__PORT=port)
    assert f"the ingress cannot listen on 127.0.0.1 port {port} (Address already in use): end what" in said
    assert "PARLEY_INGRESS__PORT: " in said


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("[::1]", ""),
        ("203.0.113.1", "Cannot assign requested address"),
        ("fe80::1%none", ""),
        ("ä..b", "not a host name"),
    ],
)
@pytest.mark.parametrize("door", ["INGRESS", "CONSOLE"])
def test_an_address_that_cannot_be_used_is_told(refused, door, address, why):
    only = {"PARLEY_INGRESS__ENABLED": "false", "PARLEY_CONSOLE__ENABLED": "true"} if door == "CONSOLE" else {}
    said = refused(**only, **{f"PARLEY_{door}__ADDRESS": address, f"PARLEY_{door}__PORT": "0"})
    assert f"PARLEY_{door}__ADDRESS: the {door.lower()} cannot listen on {address} ({why}" in said
    assert "set an address of this machine" in said
    assert "PORT" not in said


def test_a_port_for_which_the_right_is_missing_is_told(refused, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket, "create_server", denied)
    said = refused(PARLEY_INGRESS__PORT="443")
    assert "PARLEY_INGRESS__PORT: the ingress cannot listen on 127.0.0.1 port 443 (Permission denied): set a" in said


def test_a_console_that_cannot_be_is_told(refused, tmp_path):
    only_console = {"PARLEY_INGRESS__ENABLED": "false", "PARLEY_CONSOLE__ENABLED": "true"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused(**only_console, PARLEY_CONSOLE__PORT=port)
    assert "PARLEY_CONSOLE__PORT: the console cannot listen on" in said
    file = tmp_path / "operators"
    file.write_text("kim:operator:SECRET\n")
    said = refused(**only_console, PARLEY_CONSOLE__PORT="0", PARLEY_OPERATORS_FILE=str(file))
    assert "PARLEY_OPERATORS_FILE" in said
    assert "SECRET" not in said


def test_another_number_of_shards_is_told_in_the_log_and_nothing_is_accepted(start_web, redis_server, store):
    store.layout.ensure()
    web = start_web(redis_server.url, PARLEY_AGENDA__SHARDS="3")
    answer = web.post("/v1/events", {"kind": "ai_opener"})
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not-ready")
    assert "ingress accepts nothing: " in web.log.read_text()
