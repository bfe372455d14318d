"""How a lead is shown: the handle, or a keyed short hash of it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.settings import Encryption, Privacy, SettingsError, load
from worker.domain.handles import Handles

KEY = "a key of sixteen"


def hashed(key=KEY):
    return Handles(Privacy(handles="hashed", handle_key=key))


def test_plain_shows_the_handle():
    assert Handles(Privacy()).shown("ava:@john_doe") == "ava:@john_doe"
    assert Handles(Privacy()).arguments("ava", "@john_doe") == "('ava', '@john_doe')"


def test_a_hash_is_short_the_same_with_every_persona_and_another_with_another_key():
    shown = hashed().shown("ava:@john_doe")
    assert shown == f"ava:{hashed().hash_of('@john_doe')}"
    assert hashed().shown("bea:@john_doe").removeprefix("bea") == shown.removeprefix("ava")
    assert len(shown) == len("ava:#3f9a2c1b")
    assert hashed("another key of mine").shown("ava:@john_doe") != shown


def test_a_handle_with_a_colon_or_half_a_character_has_a_hash():
    assert hashed().shown("ava:a:b") == f"ava:{hashed().hash_of('a:b')}"
    assert hashed().hash_of("\udcff").startswith("#")


def test_hashes_need_a_key_that_is_long_enough():
    with pytest.raises(ValidationError, match="needs handle_key"):
        Privacy(handles="hashed")
    with pytest.raises(ValidationError, match="at least 16"):
        Privacy(handles="hashed", handle_key="short")


GOOD = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["c2hvcnQ="], "entry 1 is not 32 bytes"),
        ([GOOD, "not base64, SECRET"], "entry 2 is not 32 bytes"),
        ([GOOD, "plain"], "entry 2 is not 32 bytes"),
        ([GOOD, GOOD], "one entry twice"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_without_being_told(keys, said):
    with pytest.raises(ValidationError, match=said) as refused:
        Encryption(keys=keys)
    assert "SECRET" not in str(refused.value)


def test_keys_come_from_a_file_as_every_secret(monkeypatch, tmp_path):
    monkeypatch.setenv("PARLEY_CAPTIVATE__ENVIRONMENT", "dev")
    monkeypatch.setenv("PARLEY_PERSONAS__AVA__API_KEY", "ft_sk_ava")
    monkeypatch.setenv("PARLEY_REDIS_URL", "redis://redis:6379/0")
    file = tmp_path / "keys"
    file.write_text(f'["plain", "{GOOD}"]\n')
    monkeypatch.setenv("PARLEY_ENCRYPTION__KEYS_FILE", str(file))
    settings = load(env_file=None)
    assert [key.get_secret_value() for key in settings.encryption.keys] == ["plain", GOOD]
    assert GOOD not in repr(settings)
    file.write_text('["SECRET"]')
    with pytest.raises(SettingsError, match="PARLEY_ENCRYPTION") as refused:
        load(env_file=None)
    assert "SECRET" not in str(refused.value)
