"""Endpoints of notices, as an operator writes them."""

from __future__ import annotations

import pytest

from config.settings import SettingsError, load

SECRET = "whsec_" + "c2VjcmV0" * 6
OTHER = "whsec_" + "b3RoZXIg" * 6
URL = "https://crm.example.com/parley?key=a-part-of-the-address"
NAMED = {"ENDPOINTS__CRM__URL": URL, "ENDPOINTS__CRM__SECRET": SECRET}


@pytest.fixture
def notices(monkeypatch):
    """The section that these variables make."""

    def made(role="web", **variables):
        for name, value in {"PARLEY_REDIS_URL": "redis://localhost/0", "PARLEY_PERSONAS": "ava"}.items():
            monkeypatch.setenv(name, value)
        for name, value in variables.items():
            monkeypatch.setenv(f"PARLEY_NOTICES__{name}" if name else "PARLEY_NOTICES", value)
        return load(env_file=None, role=role).notices

    return made


def test_without_any_setting_nothing_is_pushed_or_kept(notices):
    made = notices()
    assert made.endpoints == {}
    assert not made.enabled


def test_an_endpoint_keeps_notices_and_shows_neither_address_nor_secret(notices):
    made = notices(**NAMED)
    assert made.enabled
    endpoint = made.endpoints["crm"]
    assert endpoint.url.get_secret_value() == URL
    assert (endpoint.types, endpoint.personas, endpoint.at_once, endpoint.timeout_seconds) == (None, None, 8, 15)
    assert not endpoint.allow_private_addresses
    assert "crm.example.com" not in repr(made)
    assert "c2Vjcm" not in repr(made)


def test_secrets_and_the_address_can_come_from_files(notices, tmp_path):
    (tmp_path / "url").write_text(URL + "\n")
    (tmp_path / "secret").write_text(f"{OTHER} {SECRET}\n")
    made = notices(
        ENDPOINTS__CRM__URL_FILE=str(tmp_path / "url"),
        ENDPOINTS__CRM__SECRET_FILE=str(tmp_path / "secret"),
        ENDPOINTS__CRM__TYPES="parley.event.*, parley.conversation.sealed",
        ENDPOINTS__CRM__PERSONAS="ava",
    ).endpoints["crm"]
    assert [each.get_secret_value() for each in made.secret] == [OTHER, SECRET]
    assert made.types == ("parley.event.*", "parley.conversation.sealed")
    assert made.personas == ("ava",)


@pytest.mark.parametrize("role", ["worker", "producer", "scheduler"])
@pytest.mark.parametrize(
    "variables",
    [
        NAMED,
        {"ENDPOINTS__CRM__SECRET_FILE": "/run/secrets/that/only/the/web/process/has"},
        {"ENDPOINTS": f'{{"crm": {{"url": "{URL}", "secret": "{SECRET}"}}}}'},
        {"": f'{{"endpoints": {{"crm": {{"url": "{URL}", "secret": "{SECRET}"}}}}}}'},
    ],
)
def test_other_processes_learn_only_that_notices_are_kept(notices, monkeypatch, role, variables):
    monkeypatch.setenv("PARLEY_PERSONAS__AVA__API_KEY", "ft_sk_ava")
    monkeypatch.setenv("PARLEY_CAPTIVATE__ENVIRONMENT", "dev")
    monkeypatch.delenv("PARLEY_PERSONAS", raising=False)
    made = notices(role=role, **variables)
    assert made.enabled
    assert made.endpoints == {}


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"ENDPOINTS__CRM__SECRET": SECRET}, "ENDPOINTS__CRM__URL: is missing"),
        ({"ENDPOINTS__CRM__URL": URL}, "ENDPOINTS__CRM__SECRET: is missing"),
        ({**NAMED, "ENDPOINTS__CRM__URL": "http://crm.example.com/"}, "everybody on the way could read"),
        ({**NAMED, "ENDPOINTS__CRM__URL": "https://user:pass@crm.example.com/"}, "without user and fragment"),
        ({**NAMED, "ENDPOINTS__CRM__URL": "https://crm.example.com/#there"}, "without user and fragment"),
        ({**NAMED, "ENDPOINTS__CRM__URL": "https:///parley"}, "without user and fragment"),
        ({**NAMED, "ENDPOINTS__CRM__URL": "ftp://crm.example.com/"}, "without user and fragment"),
        ({**NAMED, "ENDPOINTS__CRM__URL": "https://crm.example.com/" + "x" * 2048}, "without user and fragment"),
        ({**NAMED, "ENDPOINTS__CRM__SECRET": "whsec_short"}, "is no secret of Standard Webhooks"),
        ({**NAMED, "ENDPOINTS__CRM__AT_ONCE": "65"}, "ENDPOINTS__CRM__AT_ONCE"),
        ({**NAMED, "ENDPOINTS__CRM__AT_ONCE": "0"}, "ENDPOINTS__CRM__AT_ONCE"),
        ({**NAMED, "ENDPOINTS__CRM__TIMEOUT_SECONDS": "61"}, "ENDPOINTS__CRM__TIMEOUT_SECONDS"),
        ({**NAMED, "ENDPOINTS__CRM__TYPES": "answered"}, "ENDPOINTS__CRM__TYPES"),
        ({**NAMED, "ENDPOINTS__CRM__SPEED": "1"}, "ENDPOINTS__CRM__SPEED"),
    ],
)
def test_what_cannot_be_is_refused_without_quoting_it(notices, variables, says):
    with pytest.raises(SettingsError, match=says) as refused:
        notices(**variables)
    assert "example.com/" not in str(refused.value).replace("https://host/path", "")
    assert "whsec_short" not in str(refused.value)


def test_plain_http_is_taken_where_private_addresses_are(notices):
    made = notices(
        **NAMED | {"ENDPOINTS__CRM__URL": "http://10.1.2.3/parley", "ENDPOINTS__CRM__ALLOW_PRIVATE_ADDRESSES": "true"}
    )
    assert made.endpoints["crm"].allow_private_addresses
