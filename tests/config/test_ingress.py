"""Sources and limits of the ingress, as an operator writes them."""

from __future__ import annotations

import pytest

from config.settings import SettingsError, load

SECRET = "whsec_" + "c2VjcmV0" * 6
OTHER = "whsec_" + "b3RoZXIg" * 6
TOKEN = "token-of-the-shop-0123456789"


@pytest.fixture
def ingress(monkeypatch):
    """The section that these variables make."""

    def made(**variables):
        for name, value in {"PARLEY_REDIS_URL": "redis://localhost/0", "PARLEY_PERSONAS": "ava"}.items():
            monkeypatch.setenv(name, value)
        for name, value in variables.items():
            monkeypatch.setenv(f"PARLEY_INGRESS__{name}", value)
        return load(env_file=None, role="web").ingress

    return made


def test_without_any_setting_nobody_may_send(ingress):
    assert ingress().sources == {}


def test_a_source_has_a_token_from_a_file(ingress, tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    made = ingress(SOURCES__SHOP__TOKEN_FILE=str(file), SOURCES__SHOP__KINDS="ai_opener", SOURCES__SHOP__PERSONAS="ava")
    assert made.sources["shop"].token.get_secret_value() == TOKEN
    assert made.sources["shop"].kinds == ("ai_opener",)
    assert TOKEN not in repr(made)


@pytest.mark.parametrize("between", [" ", ",", ", "])
def test_several_secrets_hold_at_once(ingress, between):
    made = ingress(SOURCES__CRM__SIGNING_SECRET=SECRET + between + OTHER)
    assert [each.get_secret_value() for each in made.sources["crm"].signing_secret] == [SECRET, OTHER]


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (
            {"SOURCES__SHOP__PER_SECOND": "5"},
            "SOURCES__SHOP.*needs exactly one of __TOKEN, __SIGNING_SECRET and __OPEN",
        ),
        (
            {"SOURCES__SHOP__TOKEN": TOKEN, "SOURCES__SHOP__SIGNING_SECRET": SECRET},
            "needs exactly one of __TOKEN, __SIGNING_SECRET and __OPEN",
        ),
        ({"SOURCES__SHOP__TOKEN": "short"}, "SOURCES__SHOP__TOKEN .*: is too short: at least 16 characters"),
        ({"SOURCES__SHOP__TOKEN": "a-long-random-one"}, "SOURCES__SHOP__TOKEN .*: is a placeholder"),
        ({"SOURCES__CRM__SIGNING_SECRET": "whsec_short"}, "is no secret of Standard Webhooks"),
        ({"SOURCES__CRM__SIGNING_SECRET": SECRET + "!"}, "is no secret of Standard Webhooks"),
        ({"SOURCES__SHOP__TOKEN": TOKEN, "SOURCES__CRM__TOKEN": TOKEN}, "sources crm and shop have the same secret"),
        (
            {"SOURCES__SHOP__OPEN": "true", "ADDRESS": "0.0.0.0"},
            "source shop is open and the ingress listens on 0.0.0.0",
        ),
        ({"SOURCES__SHOP__OPEN": "true", "SOURCES__CRM__OPEN": "true"}, "sources crm and shop are open"),
        ({"SOURCES__SHOP__TOKEN": TOKEN, "SOURCES__SHOP__KINDS": "pulled_follow_up"}, "must be 'inbound_chat'"),
        ({"SOURCES__SHOP__TOKN": TOKEN}, "did you mean PARLEY_INGRESS__SOURCES__SHOP__TOKEN"),
        (
            {"BODY_BYTES": "4096", "BODY_BYTES_IN_ALL": "2048"},
            "BODY_BYTES_IN_ALL .2048. is less than BODY_BYTES .4096.",
        ),
        ({"CAPTIVATE__TARGET_AS": "shown"}, "would show session ids"),
        ({"CAPTIVATE__TARGET": "a..b"}, "CAPTIVATE__TARGET .*: is no path"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do_and_without_a_secret(ingress, variables, says):
    with pytest.raises(SettingsError, match=says) as refused:
        ingress(**variables)
    assert not any(secret in str(refused.value) for secret in (TOKEN, SECRET))
