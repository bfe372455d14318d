"""docker-compose.yml as it is written: who gets which secret, and bounds that fit together."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from shutil import copy

import pytest
import yaml

from config.placeholders import is_placeholder
from config.settings import SettingsError, load

PROJECT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
GIB = {"M": 1 / 1024, "G": 1, "mb": 1 / 1024, "gb": 1}


def gib(text):
    number, unit = re.fullmatch(r"([\d.]+)([a-zA-Z]+)", text).groups()
    return float(number) * GIB[unit]


def test_only_workers_have_the_keys_of_personas():
    assert [name for name, told in SERVICES.items() if "personas" in told.get("secrets", [])] == ["worker"]
    assert [name for name, told in SERVICES.items() if "PARLEY_PERSONAS_FILE" in (told.get("environment") or {})] == [
        "worker"
    ]


def test_each_service_has_the_secrets_that_its_text_names_and_no_other():
    for name, told in SERVICES.items():
        named = set(re.findall(r"/run/secrets/(\w+)", str({**told, "secrets": None})))
        if name == "alertmanager":
            named = {"alert_url"}
        assert set(told.get("secrets", [])) == named, name
    assert set(COMPOSE["secrets"]) == {secret for told in SERVICES.values() for secret in told.get("secrets", [])}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_limits(name):
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory"}


def test_the_bound_of_redis_fits_into_its_container_twice_and_nothing_is_evicted():
    command = " ".join(SERVICES["redis"]["command"])
    (bound,) = re.findall(r"--maxmemory (\S+)", command)
    assert "--maxmemory-policy noeviction" in command
    assert gib(bound) * 2 <= gib(SERVICES["redis"]["deploy"]["resources"]["limits"]["memory"])


@pytest.fixture
def secrets(tmp_path):
    """The folder that ``make secrets`` makes, with what it said."""
    (tmp_path / "deploy").mkdir()
    script = copy(PROJECT / "deploy" / "make-secrets", tmp_path / "deploy")
    said = subprocess.run([script], check=True, capture_output=True, text=True).stdout
    return tmp_path / "deploy" / "secrets", said


def test_make_secrets_makes_no_key_that_could_pass_for_a_real_one(secrets, monkeypatch):
    folder, said = secrets
    assert tomllib.loads((folder / "personas.toml").read_text()) == {}
    assert "write your FluidTalk keys into it" in said
    monkeypatch.chdir(folder)
    with pytest.raises(SettingsError, match="no persona is configured"):
        load(env_file=PROJECT / ".env.example", personas_file=folder / "personas.toml")
    # An operator removes the # and continues.
    filled = (folder / "personas.toml").read_text().replace("\n#[", "\n[").replace("\n#api", "\napi")
    (folder / "personas.toml").write_text(filled)
    with pytest.raises(SettingsError, match="is a placeholder"):
        load(env_file=PROJECT / ".env.example", personas_file=folder / "personas.toml")


def test_the_documented_first_run_uses_the_key_of_the_personas_file(secrets, monkeypatch):
    folder, _ = secrets
    (folder / "personas.toml").write_text('[ava]\napi_key = "ft_sk_of_the_operator"\n')
    monkeypatch.chdir(folder)
    settings = load(env_file=PROJECT / ".env.example", personas_file=folder / "personas.toml")
    assert settings.api_key_of("ava") == "ft_sk_of_the_operator"
    assert settings.key_origins == {"ava": str(folder / "personas.toml")}


@pytest.mark.parametrize("file", [".env.example", "deploy/demo.env", "docker-compose.yml"])
def test_no_active_line_is_a_placeholder(file):
    text = (PROJECT / file).read_text()
    values = re.findall(r"^\s*(?!#)[\w-]*(?:KEY|PASSWORD|SECRET|TOKEN)\w*\s*[=:]\s*(\S+)$", text, re.MULTILINE)
    assert [value for value in values if is_placeholder(value)] == []
