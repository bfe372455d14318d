"""What an operator may set, and what is refused with which words."""

from __future__ import annotations

import pytest

from config.settings import SettingsError, load

MINIMAL = {
    "PARLEY_REDIS_URL": "redis://:hunter2@localhost/0",
    "PARLEY_CAPTIVATE__ENVIRONMENT": "dev",
    "PARLEY_PERSONAS__AVA__API_KEY": "ft_sk_secret",
}


@pytest.fixture
def environment(monkeypatch):
    """Set the minimal variables and then these; None takes one away."""

    def set_variables(**variables: str | None) -> None:
        for name, value in {**MINIMAL, **variables}.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    return set_variables


def test_three_variables_are_enough(environment):
    environment()
    settings = load(env_file=None)
    assert settings.personas["ava"].api_key.get_secret_value() == "ft_sk_secret"
    assert settings.broker == "redis://:hunter2@localhost/0"
    assert settings.doorbells_in_store


def test_another_broker_rings_the_doorbells_itself(environment):
    environment(PARLEY_BROKER_URL="amqp://localhost//")
    settings = load(env_file=None)
    assert settings.broker == "amqp://localhost//"
    assert not settings.doorbells_in_store


def test_no_secret_is_ever_shown(environment):
    environment(PARLEY_CAPTIVATE__HEADERS='{"X-Gateway": "gateway-secret"}')
    shown = repr(load(env_file=None)) + str(load(env_file=None).model_dump())
    assert not [secret for secret in ("hunter2", "ft_sk_secret", "gateway-secret") if secret in shown]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"PARLEY_CAPTIVATE__ENVIRONMENT": None}, "there is no default"),
        ({"PARLEY_CAPTIVATE__ENVIRONMENT": "staging"}, "PARLEY_CAPTIVATE__ENVIRONMENT"),
        ({"PARLEY_PERSONAS__AVA__API_KEY": None}, "no persona is configured"),
        ({"PARLEY_PERSONAS__AVA__API_KEY": "two\nlines-secret"}, "one line of printable ASCII"),
        ({"PARLEY_REDIS_URL": None}, "PARLEY_REDIS_URL"),
        ({"PARLEY_LEASE__RENEW_SECONDS": "6"}, "RENEW_SECONDS x 3 must not exceed"),
        ({"PARLEY_LEASE__PROCESS_RENEW_SECONDS": "1"}, "PROCESS_RENEW_SECONDS x 3 must not exceed"),
        ({"PARLEY_AGENDA__TICK_SECONDS": "1.7"}, "TICK_SECONDS x 1.25 must not exceed LEASE__PROCESS_TTL_SECONDS - "),
        ({"PARLEY_JOIN__SETTLE_SECONDS": "9"}, "JOIN__SETTLE_SECONDS must not exceed"),
        ({"PARLEY_PERSONAS__AVA__JOIN__SETTLE_SECONDS": "9"}, "PERSONAS__AVA__JOIN__SETTLE_SECONDS"),
        ({"PARLEY_PACING__MINIMUM_SECONDS": "13"}, "PACING__MINIMUM_SECONDS must not exceed"),
        ({"PARLEY_PERSONAS__AVA__PACING__MAXIMUM_SECONDS": "0.5"}, "PERSONAS__AVA__PACING__MINIMUM_SECONDS"),
        ({"PARLEY_PERSONAS__AVA__TAKEOVER__HAND_BACK_AFTER_SECONDS": "172800"}, "must be below VALIDITY__INBOUND_CHAT"),
        ({"PARLEY_PERSONAS__AVA__OUTREACH__GROWTH_PER_DAY": "1.5"}, "growth_per_day needs openers_per_hour_limit"),
        ({"PARLEY_PERSONAS__AVA__OUTREACH__STOP_MINIMUM": "51"}, "stop_minimum must not exceed stop_window"),
        (
            {
                "PARLEY_PERSONAS__AVA__OUTREACH__OPENERS_PER_HOUR": "9",
                "PARLEY_PERSONAS__AVA__OUTREACH__OPENERS_PER_HOUR_LIMIT": "8",
            },
            "openers_per_hour_limit must not be below openers_per_hour",
        ),
        ({"PARLEY_RETENTION__SETTLED_SECONDS": "3600"}, "at least 86400"),
        ({"PARLEY_RETENTION__CONVERSATION_SECONDS": "2591999"}, "must not be below RETENTION__DEAD_SECONDS"),
        (
            {"PARLEY_JOIN__SETTLE_SECONDS": "60", "PARLEY_JOIN__SETTLE_LIMIT_SECONDS": "60"}
            | {"PARLEY_VALIDITY__INBOUND_CHAT_SECONDS": "60"},
            "JOIN__SETTLE_SECONDS must be below VALIDITY__INBOUND_CHAT_SECONDS",
        ),
        ({"PARLEY_FLUIDTALK__TOTAL_SECONDS": "10"}, "FLUIDTALK__TOTAL_SECONDS must not be below"),
        (
            {"PARLEY_MESSAGING_WINDOWS__MARGIN_SECONDS": "86400"},
            "PARLEY_MESSAGING_WINDOWS__MARGIN_SECONDS must be below each window, and that of facebook, instagram, "
            "messenger, whatsapp is not longer: nothing would ever be begun there",
        ),
        ({"PARLEY_MESSAGING_WINDOWS__HOURS": '{"web": 0.25}'}, "and that of web is not longer"),
        ({"PARLEY_MESSAGING_WINDOWS__OTHER_CHANNELS": "0.1"}, "and that of other is not longer"),
        (
            {"PARLEY_PERSONAS__AVA__MESSAGING_WINDOWS__MARGIN_SECONDS": "7200"}
            | {"PARLEY_MESSAGING_WINDOWS__HOURS": '{"viber": 2}'},
            "PERSONAS__AVA__MESSAGING_WINDOWS__MARGIN_SECONDS must be below each window, and that of viber",
        ),
        (
            {"PARLEY_FREQUENCY__PER_LEAD_PER_DAY": "3", "PARLEY_FREQUENCY__PER_LEAD_PER_WEEK": "2"},
            "FREQUENCY__PER_LEAD_PER_WEEK must not be below FREQUENCY__PER_LEAD_PER_DAY",
        ),
        ({"PARLEY_FOLLOW_UPS__LATE_LIMIT_SECONDS": "30"}, "FOLLOW_UPS__LATE_LIMIT_SECONDS must be at least 60"),
        ({"PARLEY_PERSONAS__AVA__FOLLOW_UPS__PER_DAY_IN_ALL": "1"}, "PER_DAY_IN_ALL"),
        ({"PARLEY_QUIET_HOURS__START": "25:00"}, "PARLEY_QUIET_HOURS__START"),
        ({"PARLEY_QUIET_HOURS__ZONE": "Mars/secret"}, "no IANA zone of this name"),
        ({"PARLEY_PERSONAS__AVA__QUIET_HOURS__ZONE": "../secret"}, "no IANA zone of this name"),
        ({"PARLEY_JOIN__SETTLE": "1"}, "PARLEY_JOIN__SETTLE"),
        ({"PARLEY_PERSONAS_FILE": "/nowhere/personas.toml"}, "cannot be read"),
        ({"PARLEY_PERSONAS__AVA__ON_DEAD__ACTION": "escalate_to_agent"}, "needs agent_id"),
    ],
)
def test_what_cannot_work_is_refused_in_clear_words_without_values(environment, variables, words):
    environment(**variables)
    with pytest.raises(SettingsError) as caught:
        load(env_file=None)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "variables",
    [
        {"PARLEY_MESSAGING_WINDOWS__MARGIN_SECONDS": "86399"},
        {"PARLEY_MESSAGING_WINDOWS__HOURS": '{"whatsapp": "none", "web": "off"}'},
        {"PARLEY_MESSAGING_WINDOWS__HOURS": '{"web": 0.25}', "PARLEY_MESSAGING_WINDOWS__MARGIN_SECONDS": "0"},
        {"PARLEY_FREQUENCY__PER_LEAD_PER_DAY": "3"},
        {"PARLEY_FREQUENCY__PER_LEAD_PER_DAY": "3", "PARLEY_FREQUENCY__PER_LEAD_PER_WEEK": "3"},
    ],
)
def test_rules_for_outreach_that_leave_room_are_taken(environment, variables):
    environment(**variables)
    load(env_file=None)


def test_a_persona_inherits_what_it_does_not_set(environment):
    environment(PARLEY_JOIN__MAX_EVENTS="7", PARLEY_PERSONAS__AVA__JOIN__SETTLE_SECONDS="0.5")
    join = load(env_file=None).join_of("ava")
    assert (join.settle_seconds, join.max_events) == (0.5, 7)


def test_a_persona_has_the_general_cadence_and_quiet_hours_but_for_what_it_sets(environment):
    environment(
        PARLEY_FOLLOW_UPS__DELAYS_SECONDS="[60, 120]",
        PARLEY_FOLLOW_UPS__PER_DAY_IN_ALL="9",
        PARLEY_QUIET_HOURS__START="21:00",
        PARLEY_QUIET_HOURS__END="09:00",
        PARLEY_PERSONAS__AVA__FOLLOW_UPS__PER_DAY="5",
        PARLEY_PERSONAS__AVA__QUIET_HOURS__ZONE="Europe/Berlin",
    )
    settings = load(env_file=None)
    cadence, quiet = settings.follow_ups_of("ava"), settings.quiet_hours_of("ava")
    assert (cadence.delays_seconds, cadence.per_day, cadence.per_day_in_all) == ((60, 120), 5, 9)
    assert (quiet.start, quiet.end, quiet.zone) == ("21:00", "09:00", "Europe/Berlin")
    assert settings.quiet_hours.zone == "UTC"


def test_a_persona_may_be_the_only_one_that_is_paced(environment):
    environment(
        PARLEY_PACING__MAXIMUM_SECONDS="4",
        PARLEY_PERSONAS__AVA__PACING__ENABLED="true",
        PARLEY_PERSONAS__BEA__API_KEY="b",
    )
    settings = load(env_file=None)
    ava, bea = settings.pacing_of("ava"), settings.pacing_of("bea")
    assert (ava.enabled, ava.maximum_seconds, bea.enabled) == (True, 4, False)


def test_personas_come_from_a_file_and_the_environment_wins(environment, tmp_path):
    file = tmp_path / "personas.toml"
    file.write_text('[ava]\napi_key = "from-file"\nown_username = "@ava"\n[bea]\napi_key = "b"\n')
    environment(PARLEY_PERSONAS_FILE=str(file))
    personas = load(env_file=None).personas
    assert sorted(personas) == ["ava", "bea"]
    assert personas["ava"].api_key.get_secret_value() == "ft_sk_secret"
    assert personas["ava"].own_username == "@ava"


def test_a_dot_env_file_is_read(environment, tmp_path):
    environment(PARLEY_CAPTIVATE__ENVIRONMENT=None)
    file = tmp_path / ".env"
    file.write_text("PARLEY_CAPTIVATE__ENVIRONMENT=prod\nUNRELATED=1\n")
    assert load(env_file=file).captivate.environment == "prod"


def test_an_empty_variable_is_as_good_as_none(environment):
    environment(PARLEY_BROKER_URL="", PARLEY_CAPTIVATE__BASE_URL="")
    settings = load(env_file=None)
    assert settings.doorbells_in_store
    assert settings.captivate.base_url is None


def test_settings_cannot_be_changed(environment):
    environment()
    with pytest.raises(ValueError, match="frozen"):
        load(env_file=None).worker.concurrency = 1  # type: ignore[misc]
