"""Values from files, and passwords in their place in a URL."""

from __future__ import annotations

import pytest

from config.secret_files import with_password
from config.settings import SettingsError, load


@pytest.fixture
def variables(monkeypatch):
    """The variables that every set of settings needs, without the store."""
    monkeypatch.setenv("PARLEY_CAPTIVATE__ENVIRONMENT", "dev")
    monkeypatch.setenv("PARLEY_PERSONAS__AVA__API_KEY", "ft_sk_ava")
    monkeypatch.setenv("PARLEY_REDIS_URL", "redis://redis:6379/0")
    return monkeypatch


def secret(tmp_path, text, name="secret"):
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_file_gives_the_value_without_its_last_line_break(variables, tmp_path):
    variables.delenv("PARLEY_PERSONAS__AVA__API_KEY")
    variables.setenv("PARLEY_PERSONAS__AVA__API_KEY_FILE", secret(tmp_path, "ft_sk_from_file\n"))
    assert load(env_file=None).personas["ava"].api_key.get_secret_value() == "ft_sk_from_file"


def test_env_file_can_name_files_too(variables, tmp_path):
    file = secret(tmp_path, "flower-password")
    lines = secret(tmp_path, f"PARLEY_FLOWER__PASSWORD_FILE={file}\n", ".env")
    password = load(env_file=lines).flower.password
    assert password is not None
    assert password.get_secret_value() == "flower-password"


def test_the_personas_file_is_still_a_setting_of_its_own(variables, tmp_path):
    variables.setenv("PARLEY_PERSONAS_FILE", secret(tmp_path, '[bea]\napi_key = "ft_sk_bea"\n'))
    assert set(load(env_file=None).personas) == {"ava", "bea"}


def test_value_and_file_together_are_refused_without_showing_either(variables, tmp_path):
    variables.setenv("PARLEY_REDIS_URL_FILE", secret(tmp_path, "redis://:hidden@redis/0"))
    with pytest.raises(SettingsError, match="PARLEY_REDIS_URL and PARLEY_REDIS_URL_FILE are both set") as refused:
        load(env_file=None)
    assert "hidden" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(variables):
    variables.setenv("PARLEY_REDIS_PASSWORD_FILE", "/nowhere/secret")
    with pytest.raises(
        SettingsError, match=r"PARLEY_REDIS_PASSWORD_FILE: /nowhere/secret cannot be read: No such file"
    ):
        load(env_file=None)


PEM = "-----BEGIN PRIVATE KEY-----\nPLANTED\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    "value",
    [PEM, PEM.replace("\n", "\\n"), PEM.replace("\n", ""), "PLANTED" * 60, "PLANTED/" * 600, "ft_sk_PLANTED"],
    ids=["PEM", "PEM with \\n", "PEM in one line", "long", "very long", "a key"],
)
@pytest.mark.parametrize(
    "variable",
    [
        "TLS__KEY_PATH",
        "TLS__CERTIFICATE_PATH",
        "TLS__CA_PATH",
        "FLUIDTALK__CA_PATH",
        "PERSONAS_FILE",
        "REDIS_PASSWORD_FILE",
        "PERSONAS__BEA__API_KEY_FILE",
        "TLS__KEY_PATH_FILE",
    ],
)
def test_what_is_given_in_place_of_a_path_is_not_shown(variables, tmp_path, variable, value):
    """It may be what the path should lead to, and a log would keep it."""
    if variable == "TLS__KEY_PATH_FILE":
        value = secret(tmp_path, value)
    variables.setenv(f"PARLEY_{variable}", value)
    with pytest.raises(SettingsError, match=f"PARLEY_{variable.removesuffix('_FILE')}") as refused:
        load(env_file=None)
    assert "PLANTED" not in str(refused.value)


def test_a_file_that_is_no_text_is_named(variables, tmp_path):
    file = tmp_path / "secret"
    file.write_bytes(b"\xff\xfe\xfd")
    variables.setenv("PARLEY_REDIS_PASSWORD_FILE", str(file))
    with pytest.raises(SettingsError, match="not UTF-8"):
        load(env_file=None)


def test_passwords_of_store_and_broker_go_into_their_urls(variables, tmp_path):
    variables.setenv("PARLEY_REDIS_PASSWORD_FILE", secret(tmp_path, "p@ss/word"))
    variables.setenv("PARLEY_BROKER_URL", "amqp://parley@rabbit:5672//")
    variables.setenv("PARLEY_BROKER_PASSWORD", "rabbit#1")
    settings = load(env_file=None)
    assert settings.redis_url.get_secret_value() == "redis://:p%40ss%2Fword@redis:6379/0"
    assert settings.broker == "amqp://parley:rabbit%231@rabbit:5672//"


def test_the_broker_is_the_store_with_its_password_by_default(variables):
    variables.setenv("PARLEY_REDIS_PASSWORD", "secret")
    settings = load(env_file=None)
    assert settings.broker == "redis://:secret@redis:6379/0"
    assert settings.doorbells_in_store


def test_a_password_given_twice_is_refused():
    with pytest.raises(ValueError, match="holds a password already"):
        with_password("redis://:one@redis:6379/0", "two")


def test_a_user_stays_before_the_password():
    assert with_password("rediss://parley@redis:6379/0", "x y") == "rediss://parley:x%20y@redis:6379/0"
