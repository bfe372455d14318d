"""No key, password or content in the text of an exception, in its traceback or in a repr."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from redis import Redis, RedisError

from config.settings import Settings, SettingsError, load
from simulation.servers.embedded_redis import EmbeddedRedis, free_port
from worker import from_captivate
from worker.bootstrap import Parts, build
from worker.clients.captivate import Captivate
from worker.domain.conversation import Conversation
from worker.domain.events import InboundChat
from worker.domain.refusals import Refused
from worker.pipeline.producer import Producer

PLANTED = "PLANTED"
PASSWORD = "PLANTED-redis-password"
CHANNEL = {
    "session_id": "PLANTED-session",
    "metadata": {
        "internal": {"channelMetadata": {"channelMetadata": {"channel": "custom-channel", "more": "PLANTED-metadata"}}},
        "user": {"email": "PLANTED-email"},
    },
    "hasLivechat": False,
}


@pytest.fixture(scope="module")
def guarded_redis() -> Iterator[EmbeddedRedis]:
    """A server that asks for a password."""
    with EmbeddedRedis() as server:
        with Redis(port=server.port) as redis:
            redis.config_set("requirepass", PASSWORD)
        yield server


@pytest.fixture
def settings(guarded_redis: EmbeddedRedis) -> Settings:
    """Secrets in every place that has one."""
    return load(
        env_file=None,
        redis_url=f"redis://:{PASSWORD}@127.0.0.1:{guarded_redis.port}/0",
        broker_url="amqp://PLANTED-user:PLANTED-password@127.0.0.1:1//",
        personas={"ava": {"api_key": "ft_sk_PLANTED-key-of-ava"}, "bea": {"api_key": "ft_sk_PLANTED-key-of-bea"}},
        captivate={"environment": "dev", "headers": {"X-Gateway-Key": "PLANTED-gateway-key"}},
    )


@pytest.fixture
def parts(settings: Settings) -> Iterator[Parts]:
    """The parts of a process with these settings."""
    found = build(settings)
    yield found
    found.close()


def chat(target: str, **fields: Any) -> InboundChat:
    """A message of a lead, secrets in all its parts."""
    return InboundChat(**{"persona": "ava", "target": target, "message": "PLANTED-text", "channel": CHANNEL, **fields})


def wrong_calls(settings: Settings, unused_port: int) -> list[Callable[[], object]]:
    """Calls of a producer that fail, each with secrets in what was given."""

    def enqueue(event: Any, with_settings: Settings = settings) -> object:
        with Producer(with_settings) as producer:
            return producer.enqueue(event)

    url = settings.redis_url.get_secret_value()
    wrong_password = settings.model_copy(update={"redis_url": SecretStr(url.replace(PASSWORD, "PLANTED-wrong"))})
    away = settings.model_copy(update={"redis_url": SecretStr(f"redis://:{PASSWORD}@127.0.0.1:{unused_port}/0")})
    payload = {**CHANNEL, "user_input": ["PLANTED-text"]}
    return [
        lambda: enqueue(chat("@lead", persona="zoe")),
        lambda: enqueue(chat("@never-seen", channel=None)),
        lambda: enqueue(chat("@lead", message="PLANTED-text" * 10_000)),
        lambda: enqueue({"kind": "inbound_chat", "message": "PLANTED-text"}),
        lambda: enqueue(chat("@lead"), wrong_password),
        lambda: enqueue(chat("@lead"), away),
        lambda: chat("PLANTED\n", message=["PLANTED-text"]),
        lambda: chat("@lead", channel={"session_id": ["PLANTED-session"], "metadata": "PLANTED-metadata"}),
        lambda: chat("@lead", message="", image_url="PLANTED-no-address"),
        lambda: from_captivate(payload, persona="ava", target="@lead"),
        lambda: Captivate(**payload),
        lambda: load(env_file=None, redis_url=7, captivate={"base_url": "PLANTED", "more": "PLANTED-more"}),
        lambda: load(env_file=None, personas={"ava": {"api_key": "PLANTED key with blanks"}}),
    ]


def causes(error: BaseException) -> Iterator[BaseException]:
    """What a logged traceback would show above the error."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    while cause is not None:
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def test_no_exception_shows_a_secret(settings):
    told = []
    for number, call in enumerate(wrong_calls(settings, free_port())):
        error: BaseException | None = None
        try:
            call()
        except (Refused, RedisError, ValidationError, SettingsError, ValueError) as caught:
            error = caught
        assert error is not None, f"call {number} should fail"
        # The lines of this very test quote what it plants; those of the product and of libraries must not.
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
        told.append((f"call {number}", "".join(traceback.format_list(frames)) + f"{error} {error!r}"))
        told += [(f"cause of call {number}", f"{cause} {cause!r}") for cause in causes(error)]
    assert [place for place, text in told if PLANTED in text] == []


def within(things: list[object]) -> list[object]:
    """These, and all that they hold: objects of ours and of the Redis client, which a traceback or a log may show."""
    found: dict[int, object] = {}
    left = list(things)
    while left:
        thing = left.pop()
        if isinstance(thing, dict | list | tuple | set | frozenset):
            left += thing.values() if isinstance(thing, dict) else thing
        elif type(thing).__module__.split(".")[0] in ("config", "redis", "tasks", "worker") and id(thing) not in found:
            found[id(thing)] = thing
            slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
            left += [getattr(thing, name) for name in slots if hasattr(thing, name)]
            left += vars(thing).values() if hasattr(thing, "__dict__") else []
    return list(found.values())


def test_no_repr_shows_a_secret(settings, parts):
    producer = Producer(settings)
    captivate = Captivate.parse({**CHANNEL, "user_input": "PLANTED-text"})
    things = [*within([settings, parts, producer]), captivate, Conversation("ava", "@lead")]
    assert {"FluidTalk", "CaptivateClient", "Connections", "Redis", "Settings"} <= {
        type(one).__name__ for one in things
    }
    assert [type(thing).__name__ for thing in things if PLANTED in f"{thing!r} {thing!s}"] == []
    assert PLANTED in repr(chat("@lead")), "an event shows what it holds, so the search can find it"
    producer.close()
