"""Which API a persona is asked through: its key tells, and what does not fit is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from config.settings import Persona, load


def test_the_key_tells_the_api() -> None:
    assert Persona(api_key="ft_sk_1").speaks == "handshake"
    assert Persona(api_key="own-format").speaks == "handshake"
    assert Persona(api_key="ftc_live_1", platform="instagram").speaks == "characters"
    assert Persona(api_key="own-format", api="characters", platform="x").speaks == "characters"


def test_a_process_without_keys_knows_it_by_the_platform() -> None:
    assert Persona().speaks == "handshake"
    assert Persona(platform="instagram").speaks == "characters"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"api_key": "ftc_live_123456"}, "platform is missing"),
        ({"api_key": "ftc_live_123456", "platform": "Insta gram"}, "String should match pattern"),
        ({"api_key": "ft_sk_123456", "platform": "instagram"}, "belong to the Characters API"),
        ({"api_key": "ft_sk_123456", "mode": "mock"}, "belong to the Characters API"),
        ({"api_key": "ft_sk_123456", "pulled_follow_ups": {"enabled": True}}, "belongs to the Characters API"),
        ({"api_key": "ft_sk_123456", "separate_accounts": ["a"]}, "belongs to the Characters API"),
        ({"api_key": "ftc_live_123456", "platform": "x", "separate_accounts": "a/b"}, "String should match pattern"),
        (
            {"api_key": "ftc_live_123456", "platform": "x", "separate_accounts": "a,b", "own_username": "c"},
            "own_username is c, and separate_accounts has only a, b",
        ),
        ({"api_key": "ft_sk_123456", "api": "characters", "platform": "x"}, "needs a connector token"),
        ({"api_key": "ftc_live_123456", "api": "handshake"}, "needs a key (ft_sk_...)"),
        ({"api_key": "ftc_live_1", "platform": "x", "on_text_lost": {"action": "line"}}, "needs a line"),
    ],
)
def test_what_does_not_fit_is_refused_without_quoting_the_key(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Persona(**values)
    assert says in str(refused.value)
    assert "123456" not in str(refused.value)


def test_a_persona_that_is_tried_out_reaches_no_real_lead() -> None:
    tried = {"cleo": {"api_key": "ftc_live_1", "platform": "x", "mode": "sandbox"}}
    with pytest.raises(Exception, match="must not reach real leads"):
        load(env_file=None, captivate={"environment": "prod"}, personas=tried, redis_url="redis://localhost")
    load(env_file=None, captivate={"environment": "dev"}, personas=tried, redis_url="redis://localhost")
