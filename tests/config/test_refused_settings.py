"""Whatever an operator gets wrong is one line: variable, where it stands, reason, what to do. Never a traceback."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.settings import Settings, SettingsError, load
from config.variables import Variable, tree

MINIMAL = {
    "PARLEY_REDIS_URL": "redis://localhost/0",
    "PARLEY_CAPTIVATE__ENVIRONMENT": "dev",
    "PARLEY_PERSONAS__AVA__API_KEY": "ft_sk_of_ava",
}


@pytest.fixture
def refused(monkeypatch):
    """What these variables, beside the needed ones, are refused with."""

    def told(role="worker", env_file=None, **variables):
        for name, value in {**MINIMAL, **variables}.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        with pytest.raises(SettingsError) as caught:
            load(env_file=env_file, role=role)
        headline, *lines = str(caught.value).splitlines()
        assert headline == "Parley cannot start with these settings:"
        return lines

    return told


@pytest.fixture
def accepted(monkeypatch):
    """The settings that these variables, beside the needed ones, make."""

    def made(**variables):
        for name, value in {**MINIMAL, **variables}.items():
            monkeypatch.setenv(name, value)
        return load(env_file=None)

    return made


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("FOLLOW_UPS__DELAYS_SECONDS", "14400,soon", ", entry 2 (environment): is not a number: write digits"),
        (
            "MESSAGING_WINDOWS__HOURS",
            '{"a": "never"}',
            "HOURS__A (environment): must be a number of hours above 0, none",
        ),
        ("MESSAGING_WINDOWS__HOURS", '{"a": 1, "A": 2}', "names a channel twice"),
        ("MESSAGING_WINDOWS__OTHER_CHANNELS", "-1", "must be a number of hours above 0, none (no limit) or off"),
        ("FREQUENCY__PER_LEAD_PER_DAY", "0", "must be at least 1"),
        ("FOLLOW_UPS__DELAYS_SECONDS", "14400,,1", "an entry of the list is empty"),
        ("FOLLOW_UPS__DELAYS_SECONDS", "[14400, ", "begins like a JSON list and is none: write 14400,86400"),
        ("FOLLOW_UPS__DELAYS_SECONDS", "[" * 100_000, "begins like a JSON list and is none"),
        ("FOLLOW_UPS__DELAYS_SECONDS", '{"a": 1}', "is not a number"),
        ("PERSONAS__AVA__FOLLOW_UPS__DELAYS_SECONDS", "4h", ", entry 1 (environment): is not a number"),
        ("FOLLOW_UPS__PER_DAY", "many", "is not a whole number: write digits only"),
        ("FOLLOW_UPS__PER_DAY", "9" * 5000, "number"),
        ("FOLLOW_UPS", "5", "is a section: set its parts, such as __DELAYS_SECONDS behind this name"),
        ("FOLLOW_UPS", "{", "is a section"),
        ("CAPTIVATE__HEADERS", "X-Gateway=1", 'is no JSON object: write {"NAME": "value"}'),
        ("CAPTIVATE__HEADERS", '{"X-Gateway": "..."}', "is a placeholder"),
        ("CAPTIVATE__ENVIRONMENT", "staging", "must be 'dev' or 'prod': write one of them"),
        ("LEASE__TTL_SECONDS", "six", "is not a number: write digits without a unit"),
        ("LEASE__TTL_SECONDS", "nan", "must be at most 600"),
        ("LEASE__TTL_SECONDS", "0", "must be at least 0.5"),
        ("RETENTION__DEAD_SECONDS", "1e16", "must be at most 315360000:"),
        ("WORKER__ONE_CORE", "perhaps", "is neither true nor false"),
        ("QUIET_HOURS__START", "9 pm", "is no time of day: write one such as 21:00"),
        ("QUIET_HOURS__ZONE", "Asia/Kolkatta", "no IANA zone of this name is known; did you mean Asia/Kolkata?"),
        ("QUIET_HOURS__ZONE", "UTC+29", "write one such as Europe/Berlin or UTC+05:30"),
        ("PRIVACY__HANDLE_KEY", "short", "is too short: at least 16 characters are needed"),
        ("ENCRYPTION__KEYS", "abc,def", "entry 1 is not 32 bytes in base64"),
        ("TLS__CA_PATH", "/nowhere/ca.pem", "is not a file that this user may read"),
        ("REDIS_URL", "localhost:6379", "not a URL"),
        ("REDIS_URL", '"redis://localhost/0', "has a quote at one end only; write it without quotes"),
        ("PERSONAS", "Ava Maria", "is no name of a persona: lower-case letters, digits, - and _, at most 64"),
        ("PERSONAS__AVA", "ft_sk_of_ava", "gives a part of it; remove one of them"),
        (
            "PERSONAS_FILE",
            "/nowhere/personas.toml",
            "personas file /nowhere/personas.toml cannot be read: No such file",
        ),
        ("JOIN__SETTLE", "1", "is no setting; did you mean PARLEY_JOIN__SETTLE_SECONDS?"),
        ("REDIS_ULR", "redis://", "is no setting; did you mean PARLEY_REDIS_URL?"),
        ("JOIN_SETTLE_SECONDS", "1", "is no setting; did you mean PARLEY_JOIN__SETTLE_SECONDS?"),
        ("CAPTIVATE_ENVIRONMENT", "prod", "is no setting; did you mean PARLEY_CAPTIVATE__ENVIRONMENT?"),
        ("METRICS_PORT", "9540", "is no setting; did you mean PARLEY_METRICS__PORT?"),
        ("PERSONAS__AVA__APIKEY", "k", "is no setting; did you mean PARLEY_PERSONAS__AVA__API_KEY?"),
        ("REDIS_PASSWORD__AVA", "1", "is not a text"),
        ("PERSONAS_FILE__AVA", "1", "PARLEY_PERSONAS_FILE"),
        ("SOMETHING_ELSE", "1", "is no setting: remove it, or see docs/settings.md"),
    ],
)
def test_each_fault_is_one_line_with_variable_reason_and_cure(refused, name, value, says):
    lines = refused(**{f"PARLEY_{name}": value})
    (line,) = [line for line in lines if says in line]
    assert line.startswith(f"  PARLEY_{name}".removesuffix("__AVA"))
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (
            "INGRESS__SOURCES",
            '{"My Shop": {"open": true}}',
            "is no name of a source: lower-case letters, digits, - and _",
        ),
        ("INGRESS__SOURCES__SHOP__PERSONAS", "ava,Bea B", ", entry 2 (environment): is no name of a persona"),
        (
            "NOTICES__ENDPOINTS",
            '{"My CRM": {}}',
            "is no name of an endpoint: lower-case letters, digits, - and _, at most 32",
        ),
        ("NOTICES__ENDPOINTS__CRM__TYPES", "dead", ", entry 1 (environment): is no type of notice: write one such as"),
    ],
)
def test_what_is_no_name_is_told_by_what_it_should_name(refused, name, value, says):
    lines = [line for line in refused(role="web", **{f"PARLEY_{name}": value}) if says in line]
    assert [line.startswith(f"  PARLEY_{name}") for line in lines] == [True]
    assert "My" not in lines[0]


def test_all_faults_are_told_at_once(refused):
    lines = refused(
        PARLEY_LEASE__TTL_SECONDS="x", PARLEY_NONSENSE="1", PARLEY_CAPTIVATE__ENVIRONMENT=None, PARLEY_JOIN__X="1"
    )
    names = ("LEASE__TTL_SECONDS", "NONSENSE", "CAPTIVATE__ENVIRONMENT", "JOIN__X")
    assert [name for name in names if any(name in line for line in lines)] == list(names)
    assert len(lines) == 4


def test_times_that_contradict_each_other_have_a_line_each(refused):
    lines = refused(PARLEY_LEASE__RENEW_SECONDS="6", PARLEY_RETENTION__SETTLED_SECONDS="3600")
    assert [line.split()[0] for line in lines] == ["PARLEY_LEASE__RENEW_SECONDS", "PARLEY_RETENTION__SETTLED_SECONDS"]


@pytest.mark.parametrize(
    "key",
    [
        *("ft_sk_replace_me", "changeme", "your-key-here", "YOUR_API_KEY", "xxx", "ft_sk_xxxxxxxx", "<key>", "..."),
        *("ft_sk_...", "${FLUIDTALK_KEY}", "{{ key }}", "ft_sk_", "TODO", "put-your-key-here", "ft_sk_your_own_key"),
    ],
)
def test_a_placeholder_is_no_key(refused, key):
    (line,) = refused(PARLEY_PERSONAS__AVA__API_KEY=key)
    assert (
        line
        == "  PARLEY_PERSONAS__AVA__API_KEY (environment): is a placeholder, or empty: put the real value in its place"
    )


@pytest.mark.parametrize("key", ["ft_sk_9fK2mTodoZ", "ft_sk_x", "k", "ft_sk_secret", "abc"])
def test_what_may_be_a_key_is_one(accepted, key):
    assert accepted(PARLEY_PERSONAS__AVA__API_KEY=key).api_key_of("ava") == key


@pytest.mark.parametrize("token", ["ftc_live_123456", "FTC_live_123456", '"ftc_live_123456"'])
def test_a_token_of_the_newer_api_needs_a_platform(refused, accepted, token):
    (line,) = refused(PARLEY_PERSONAS__AVA__API_KEY=token)
    assert "platform is missing" in line
    assert "123456" not in line
    settings = accepted(PARLEY_PERSONAS__AVA__API_KEY=token, PARLEY_PERSONAS__AVA__PLATFORM="instagram")
    assert settings.personas["ava"].speaks == "characters"


@pytest.mark.parametrize(
    "persona",
    [{"API_KEY": "ft_sk_demo_ava"}, {"API_KEY": "ftc_live_demo_ava", "PLATFORM": "instagram"}],
)
def test_the_key_of_the_demo_is_refused_by_a_worker_of_the_real_service(refused, accepted, persona):
    demo = {f"PARLEY_PERSONAS__AVA__{name}": value for name, value in persona.items()}
    (line,) = refused(**demo)
    assert "only simulated upstreams know" in line
    assert accepted(**demo, PARLEY_FLUIDTALK__BASE_URL="http://127.0.0.1:1").personas


@pytest.mark.parametrize(
    "written", ["14400,86400", " 14400, 86400 ", "[14400, 86400]", '"14400,86400"', "14400,86400,"]
)
def test_a_list_has_commas_or_is_json(accepted, written):
    settings = accepted(PARLEY_FOLLOW_UPS__DELAYS_SECONDS=written)
    assert settings.follow_ups.delays_seconds == (14400, 86400)


def test_quotes_and_blanks_that_an_env_file_of_docker_keeps_do_not_count(accepted):
    settings = accepted(
        PARLEY_CAPTIVATE__ENVIRONMENT='"prod"',
        PARLEY_REDIS_URL="'redis://localhost/3'",
        PARLEY_LEASE__TTL_SECONDS=" 7 \r",
        PARLEY_CAPTIVATE__HEADERS='{"X-Gateway": "one"}',
    )
    assert settings.captivate.environment == "prod"
    assert settings.store_address.database == 3
    assert settings.lease.ttl_seconds == 7


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("asia/kolkata", "Asia/Kolkata"),
        (" Europe/Berlin ", "Europe/Berlin"),
        ("UTC+05:30", "UTC+05:30"),
        ("utc", "UTC"),
    ],
)
def test_zones_are_understood_as_people_write_them(accepted, written, kept):
    assert accepted(PARLEY_QUIET_HOURS__ZONE=written).quiet_hours.zone == kept


def test_names_of_compose_and_kubernetes_are_not_ours(accepted):
    others = {
        "PARLEY_IMAGE_TAG": "demo",
        "PARLEY_FLOWER_PORT": "5556",
        "PARLEY_WEB_PORT": "81",
        "PARLEY_REDIS_SERVICE_HOST": "10.0.0.1",
    }
    others |= {"PARLEY_METRICS_PORT": "tcp://10.0.0.1:9540", "PARLEY_REDIS_PORT_6379_TCP_ADDR": "10.0.0.1"}
    assert accepted(**others).personas


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PARLEY_LEASE__TTL_SECONDS\n", ", line 1: is not NAME=value"),
        (b"\nPARLEY_REDIS_PASSWORD='open\n", ", line 2: is not NAME=value"),
        (b"PARLEY_REDIS_PASSWORD=caf\xe9\n", "it is not UTF-8 text; save it as UTF-8"),
        ("PARLEY_REDIS_PASSWORD=x\n".encode("utf-16"), "it is not UTF-8 text; save it as UTF-8"),
        (b"PARLEY_LEASE__TTL=1\n", "is no setting; did you mean PARLEY_LEASE__TTL_SECONDS?"),
    ],
)
def test_a_dot_env_file_that_cannot_be_used_says_where(refused, tmp_path, content, says):
    file = tmp_path / ".env"
    file.write_bytes(content)
    (line,) = refused(env_file=file)
    assert says in line
    assert str(file) in line


def test_a_folder_in_place_of_dot_env_is_told(refused, tmp_path):
    (tmp_path / ".env").mkdir()
    (line,) = refused(env_file=tmp_path / ".env")
    assert "it is a folder; put a file in its place" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_dot_env_file_that_may_not_be_read_is_told(refused, tmp_path):
    (tmp_path / ".env").touch(mode=0)
    (line,) = refused(env_file=tmp_path / ".env")
    assert "let this user read it" in line


def test_a_byte_order_mark_and_windows_lines_do_no_harm(monkeypatch, tmp_path):
    lines = "".join(f'{name}="{value}"\r\n' for name, value in MINIMAL.items())
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbf" + lines.encode())
    assert load(env_file=tmp_path / ".env").api_key_of("ava") == "ft_sk_of_ava"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[ava]\napi_key = ft_sk_bare\n", "is not valid TOML (at line 2, column 11): write texts in quotes"),
        (b"[ava\n", "is not valid TOML"),
        (b"[ava]\napi_key = 'caf\xe9'\n", "it is not UTF-8 text; save it as UTF-8"),
        (b"[ava]\na = " + b"[" * 100_000, "PARLEY_PERSONAS_FILE: "),
        (b"[ava]\nkey = 'x'\n", "is no setting; did you mean PARLEY_PERSONAS__AVA__API_KEY?"),
        (b"[ava]\napi_key = 7\n", "PARLEY_PERSONAS__AVA__API_KEY"),
        (b"api_key = 'ft_sk_of_bea'\n", "PARLEY_PERSONAS__API_KEY"),
        (b"[Bea]\napi_key = 'ft_sk_of_bea'\n", "is no name of a persona"),
        (b"[ava]\n", "PARLEY_PERSONAS__AVA__API_KEY is missing: set the persona's FluidTalk key"),
        (b"# [ava]\n", "no persona is configured"),
        (b"[ava]\napi_key = 'ftc_live_1'\n", "platform is missing"),
    ],
)
def test_a_personas_file_that_cannot_be_used_says_why(refused, tmp_path, content, says):
    file = tmp_path / "personas.toml"
    file.write_bytes(content)
    lines = refused(PARLEY_PERSONAS_FILE=str(file), PARLEY_PERSONAS__AVA__API_KEY=None)
    assert len(lines) == 1
    assert says in lines[0]
    assert "ft_sk" not in lines[0].replace("(ft_sk_... or ftc_...)", "")


def test_an_empty_file_of_a_secret_is_told(refused, tmp_path):
    (tmp_path / "secret").touch()
    (line,) = refused(PARLEY_REDIS_PASSWORD_FILE=str(tmp_path / "secret"))
    assert line == f"  PARLEY_REDIS_PASSWORD_FILE: {tmp_path}/secret is empty; put the value into it"


# ---- origins ---------------------------------------------------------------------------------------------------------


def test_each_key_has_the_place_that_it_came_from(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("ft_sk_of_cleo\n")
    (tmp_path / "personas.toml").write_text('[dora]\napi_key = "ft_sk_of_dora"\n[ava]\napi_key = "ft_sk_other"\n')
    (tmp_path / ".env").write_text(
        f"PARLEY_PERSONAS__BEA__API_KEY=ft_sk_of_bea\nPARLEY_PERSONAS_FILE={tmp_path}/personas.toml\n"
    )
    for name, value in MINIMAL.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PARLEY_PERSONAS__CLEO__API_KEY_FILE", str(tmp_path / "secret"))
    settings = load(env_file=tmp_path / ".env", personas={"eva": {"api_key": "ft_sk_of_eva"}})
    assert settings.key_origins == {
        "ava": f"environment (another one in {tmp_path}/personas.toml is not used)",
        "bea": f"{tmp_path}/.env",
        "cleo": "file of PARLEY_PERSONAS__CLEO__API_KEY_FILE",
        "dora": f"{tmp_path}/personas.toml",
        "eva": "the program",
    }
    assert "ft_sk" not in str(settings.key_origins)


# ---- roles -----------------------------------------------------------------------------------------------------------


def test_a_producer_needs_the_store_and_names_only(monkeypatch):
    monkeypatch.setenv("PARLEY_REDIS_URL", "redis://localhost/0")
    monkeypatch.setenv("PARLEY_PERSONAS", "ava, bea")
    settings = load(env_file=None, role="producer")
    assert (sorted(settings.personas), settings.role) == (["ava", "bea"], "producer")
    monkeypatch.delenv("PARLEY_PERSONAS")
    with pytest.raises(SettingsError, match="PARLEY_PERSONAS=ava,bea"):
        load(env_file=None, role="producer")


def test_a_scheduler_needs_the_store_only(monkeypatch):
    monkeypatch.setenv("PARLEY_REDIS_URL", "redis://localhost/0")
    monkeypatch.setenv("PARLEY_PERSONAS_FILE", "/run/secrets/that/only/workers/have")
    assert load(env_file=None, role="scheduler").personas == {}


@pytest.mark.parametrize("role", ["producer", "web", "scheduler"])
def test_no_key_is_kept_or_read_where_none_is_needed(monkeypatch, tmp_path, role):
    (tmp_path / "personas.toml").write_text('[bea]\napi_key = "SECRET"\n')
    for name, value in {**MINIMAL, "PARLEY_PERSONAS": '{"cleo": {"api_key": "SECRET"}}'}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PARLEY_PERSONAS__DORA__API_KEY_FILE", "/run/secrets/that/only/workers/have")
    monkeypatch.setenv("PARLEY_PERSONAS_FILE", str(tmp_path / "personas.toml"))
    settings = load(env_file=None, role=role)
    assert {"ava", "bea", "cleo", "dora"} == set(settings.personas)
    assert all(persona.api_key is None for persona in settings.personas.values())
    with pytest.raises(SettingsError, match=f"loaded without keys, for a {role}"):
        settings.api_key_of("ava")


@pytest.mark.parametrize("role", ["worker", "producer", "scheduler"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARLEY_INGRESS__SOURCES__SHOP__TOKEN", "SECRET-of-16-characters"),
        ("PARLEY_INGRESS__SOURCES__SHOP__TOKEN_FILE", "/run/secrets/that/only/the/ingress/has"),
        ("PARLEY_INGRESS__SOURCES__CRM__SIGNING_SECRET", "SECRET, which only the ingress judges"),
        ("PARLEY_INGRESS__SOURCES", '{"shop": {"token": "SECRET-of-16-characters"}}'),
        ("PARLEY_INGRESS__SOURCES_FILE", "/run/secrets/that/only/the/ingress/has"),
        ("PARLEY_INGRESS", '{"sources": {"shop": {"token": "SECRET-of-16-characters"}}}'),
    ],
)
def test_only_the_web_process_has_the_sources_of_the_ingress(monkeypatch, role, name, value):
    for each, given_value in {**MINIMAL, name: value}.items():
        monkeypatch.setenv(each, given_value)
    settings = load(env_file=None, role=role)
    assert settings.ingress.sources == {}
    assert "SECRET" not in str(settings.model_dump())


def test_the_web_process_has_them_and_needs_what_a_producer_needs(monkeypatch):
    monkeypatch.setenv("PARLEY_REDIS_URL", "redis://localhost/0")
    monkeypatch.setenv("PARLEY_INGRESS", '{"sources": {"shop": {"token": "token-of-the-shop-0123456789"}}}')
    with pytest.raises(SettingsError, match="PARLEY_PERSONAS=ava,bea"):
        load(env_file=None, role="web")
    monkeypatch.setenv("PARLEY_PERSONAS", "ava")
    assert list(load(env_file=None, role="web").ingress.sources) == ["shop"]


# ---- whatever it is --------------------------------------------------------------------------------------------------


@given(
    name=st.sampled_from(sorted(Settings.model_fields)) | st.text("ABC_", min_size=1, max_size=9),
    below=st.lists(st.sampled_from(["AVA", "API_KEY", "JOIN", "HEADERS", "ZONE", "X"]), max_size=3),
    value=st.text(max_size=30)
    | st.sampled_from(["{}", "[]", "null", '{"a": {"b": 1}}', "[[1]]", "1e999", "-0", "\udcff"]),
)
@example(name="ingress", below=[], value="[[]]")
@example(name="personas", below=[], value="[[]]")
def test_no_variable_ends_in_anything_but_settings_or_lines(name, below, value):
    variable = "PARLEY_" + "__".join([name.upper(), *below])
    with pytest.MonkeyPatch.context() as patch:
        for each, given_value in MINIMAL.items():
            patch.setenv(each, given_value)
        patch.setenv(variable, value.replace("\0", ""))
        try:
            assert load(env_file=None).personas
        except SettingsError as error:
            _, *lines = str(error).split("\n")
            assert lines
            assert all(re.match(r"  (PARLEY_|no persona)", line) for line in lines)


def test_a_part_beside_json_of_its_section_is_merged():
    variables = {"join": '{"max_events": 3}', "join__settle_seconds": "0"}
    assert tree({name: Variable(name, value, "") for name, value in variables.items()}) == {
        "join": {"max_events": 3, "settle_seconds": "0"}
    }
