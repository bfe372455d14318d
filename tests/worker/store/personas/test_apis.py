"""The API of a persona changes: what waits under its old names keeps workers from starting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simulation.servers.embedded_redis import EmbeddedRedis
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener
from worker.processes.start_up import StartUpCheck, examine
from worker.store import Store
from worker.store.personas.apis import KEY, Change

CHARACTERS = {"api_key": "ftc_live_1", "platform": "instagram"}
HANDSHAKE = {"api_key": "ft_sk_1"}


@pytest.fixture
def with_api(
    make_settings: Callable[..., Any], redis_server: EmbeddedRedis, store: Store
) -> Iterator[Callable[..., Store]]:
    """The store of a process whose persona cleo has this API; each on the same server."""
    made: list[Store] = []

    def make(cleo: dict[str, str]) -> Store:
        personas = {"ava": {"api_key": "ft_sk_ava"}, "cleo": cleo}
        made.append(Store(make_settings(redis_url=redis_server.url, personas=personas), connections=2))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def start(make_settings: Callable[..., Any], redis_server: EmbeddedRedis) -> Callable[..., list[str]]:
    """A worker starts with this cleo. Returns why it is refused."""

    def begin(cleo: dict[str, str], only: Any = None) -> list[str]:
        refused: list[str] = []
        settings = make_settings(
            redis_url=redis_server.url,
            personas={"ava": {"api_key": "ft_sk_ava"}, "cleo": cleo},
            worker={"require_durable_store": False},
        )
        StartUpCheck(settings, refused.append, only=only).begin()
        return refused

    return begin


def wait_for(store: Store, channel: dict[str, Any], *targets: str, persona: str = "cleo") -> None:
    for target in targets:
        store.inbox.accept(AiOpener(persona=persona, target=target, channel=channel))


def test_a_worker_is_refused_with_the_count_and_what_to_do(
    with_api: Callable[..., Store], start: Callable[..., list[str]], channel: dict[str, Any]
) -> None:
    assert start(HANDSHAKE) == []
    wait_for(with_api(HANDSHAKE), channel, "@john", "@john", "@eve")
    wait_for(with_api(HANDSHAKE), channel, "@john", persona="ava")
    [reason] = start(CHARACTERS)
    assert "persona cleo changes from the Handshake API to the Characters API" in reason
    assert "under its old names: 3, in conversations: 2." in reason
    assert "give cleo its former settings again (key, api, separate_accounts)" in reason
    assert "john" not in reason
    assert start(HANDSHAKE) == [], "the remedy helps"


def test_nothing_waits_and_the_change_takes_effect(
    with_api: Callable[..., Store], start: Callable[..., list[str]], channel: dict[str, Any]
) -> None:
    old = with_api(HANDSHAKE)
    wait_for(old, channel, "@john")
    lead = Conversation("cleo", "@john")
    old.steps.settle(old.steps.begin(lead, "t"), "answered")
    assert start(CHARACTERS) == []
    assert old.redis.hgetall(KEY) == {"cleo": "characters"}
    wait_for(old, channel, "@late")
    assert start(CHARACTERS) == [], "that is no change any more"


def test_the_way_back_counts_what_waits_under_platforms(
    with_api: Callable[..., Store], start: Callable[..., list[str]], channel: dict[str, Any]
) -> None:
    assert start(CHARACTERS) == []
    store = with_api(CHARACTERS)
    wait_for(store, channel, "instagram/john")
    # What its producers send already keeps its name.
    wait_for(store, channel, "@new")
    [reason] = start(HANDSHAKE)
    assert "from the Characters API to the Handshake API. Events that wait for it under its old names: 1, in" in reason
    store.steps.settle(store.steps.begin(Conversation("cleo", "instagram/john"), "t"), "answered")
    assert start(HANDSHAKE) == []
    assert store.redis.exists(KEY) == 0


def test_a_target_with_a_slash_is_no_sign_of_the_other_api(
    with_api: Callable[..., Store], start: Callable[..., list[str]], channel: dict[str, Any]
) -> None:
    wait_for(with_api(HANDSHAKE), channel, "instagram/john")
    assert start(HANDSHAKE) == []
    assert start(CHARACTERS) == [], "its name does not change"


def test_parley_check_says_it_and_writes_nothing(
    with_api: Callable[..., Store],
    make_settings: Callable[..., Any],
    redis_server: EmbeddedRedis,
    channel: dict[str, Any],
) -> None:
    store = with_api(CHARACTERS)
    settings = make_settings(redis_url=redis_server.url, personas={"ava": {"api_key": "ft_sk_ava"}, "cleo": CHARACTERS})

    def found() -> list[tuple[str, str]]:
        findings, _ = examine(settings, store)
        return [(finding.level, finding.means) for finding in findings if finding.check == "api"]

    [(level, means)] = found()
    # A new one is not told from one that had the API without records.
    said = "persona cleo starts with the Characters API, and nothing waits for it under names of the Handshake API"
    assert (level, means) == ("ok", said)
    wait_for(store, channel, "@john")
    [(level, _)] = found()
    assert level == "failure"
    assert store.redis.exists(KEY) == 0


def test_a_scheduler_asks_no_persona_and_is_not_refused(
    with_api: Callable[..., Store], start: Callable[..., list[str]], channel: dict[str, Any]
) -> None:
    wait_for(with_api(HANDSHAKE), channel, "@john")
    assert start(CHARACTERS, only=lambda *_: ([], True)) == []
    assert with_api(CHARACTERS).redis.exists(KEY) == 0


def test_what_is_held_and_what_nobody_knows_is_counted_too(
    with_api: Callable[..., Store], channel: dict[str, Any]
) -> None:
    store = with_api(HANDSHAKE)
    wait_for(store, channel, *(f"@lead{number}" for number in range(50)))
    store.personas.pause("cleo", "anna")
    store.agenda.claim_due()
    assert with_api(CHARACTERS).apis.changes() == [Change("cleo", "handshake", "characters", 50, 50)]


def test_separate_accounts_change_the_names_too(
    with_api: Callable[..., Store], start: Callable[..., list[str]], channel: dict[str, Any]
) -> None:
    separate = {**CHARACTERS, "separate_accounts": "cleo_de,cleo_en"}
    assert start(CHARACTERS) == []
    wait_for(with_api(CHARACTERS), channel, "instagram/john")
    [reason] = start(separate)
    assert "changes from the Characters API to the Characters API with separate accounts" in reason
    assert "under its old names: 1, in conversations: 1." in reason
    lead = Conversation("cleo", "instagram/john")
    old = with_api(CHARACTERS)
    old.steps.settle(old.steps.begin(lead, "t"), "answered")
    assert start(separate) == []
    assert with_api(separate).redis.hget(KEY, "cleo") == "separate accounts"
    wait_for(with_api(separate), channel, "instagram/cleo_de/john")
    wait_for(with_api(CHARACTERS), channel, "instagram/eve")
    [reason] = start(CHARACTERS)
    assert "with separate accounts to the Characters API." in reason
    assert "under its old names: 1, in conversations: 1." in reason, "eve has none"


def test_what_producers_with_the_new_settings_sent_already_keeps_no_worker_from_starting(
    with_api: Callable[..., Store], start: Callable[..., list[str]], channel: dict[str, Any]
) -> None:
    separate = {**CHARACTERS, "separate_accounts": "cleo_de,cleo_en"}
    assert start(CHARACTERS) == []
    wait_for(with_api(separate), channel, "instagram/cleo_de/john", "instagram/cleo_en/john")
    assert start(separate) == []
    wait_for(with_api(separate), channel, "instagram/cleo_fr/john")
    assert start(separate) == [], "that is no change"
