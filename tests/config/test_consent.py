"""Settings about consent: refused when they say nothing, general ones and those of one persona."""

from __future__ import annotations

import pytest

from config.consent import Consent
from config.settings import SettingsError, load


@pytest.fixture
def environment(monkeypatch):
    """Set these variables and what is needed besides."""

    def set_variables(**variables: str) -> None:
        needed = {
            "PARLEY_REDIS_URL": "redis://localhost:6379/0",
            "PARLEY_PERSONAS__AVA__API_KEY": "ft_sk_secret",
            "PARLEY_CAPTIVATE__ENVIRONMENT": "dev",
        }
        for name, value in {**needed, **variables}.items():
            monkeypatch.setenv(name, value)

    return set_variables


def test_settings_refuse_a_word_that_says_nothing_or_is_none(environment):
    environment(PARLEY_CONSENT__MORE_STOP_WORDS="!!!", PARLEY_PERSONAS__AVA__CONSENT__LANGUAGES="en,xx")
    with pytest.raises(SettingsError) as refused:
        load(env_file=None)
    text = str(refused.value)
    assert "PARLEY_CONSENT__MORE_STOP_WORDS" in text
    assert "PARLEY_PERSONAS__AVA__CONSENT__LANGUAGES" in text


def test_a_persona_has_rules_of_its_own_and_takes_the_rest_from_the_general_ones(environment):
    environment(
        PARLEY_CONSENT__CONFIRMATION="  Bye.  ",
        PARLEY_CONSENT__HASH_KEY="a key of sixteen",
        PARLEY_PERSONAS__AVA__CONSENT__SCOPE="lead",
        PARLEY_PERSONAS__BEA__API_KEY="b",
    )
    settings = load(env_file=None)
    ava, bea = settings.consent_of("ava"), settings.consent_of("bea")
    assert (ava.scope, ava.confirmation, bea.scope) == ("lead", "Bye.", "persona")
    assert settings.consent_key.get_secret_value() == "a key of sixteen"
    assert isinstance(bea, Consent)


def test_without_a_key_of_its_own_the_one_of_handles_is_taken(environment):
    environment(PARLEY_PRIVACY__HANDLE_KEY="another of sixteen")
    assert load(env_file=None).consent_key.get_secret_value() == "another of sixteen"
