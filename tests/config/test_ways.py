"""A company's authority and an outgoing proxy: refused at start when they cannot work, and never shown."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import certifi
import pytest

from config.settings import Settings, SettingsError, load
from worker import bootstrap

PARTS = ["fluidtalk", "captivate", "images"]
BASE: dict[str, Any] = {"redis_url": "redis://", "personas": {"ava": {"api_key": "k"}}}


def loaded(part: str, **values: object) -> Settings:
    parts: dict[str, Any] = {"captivate": {"environment": "dev"}}
    return load(env_file=None, **BASE, **{**parts, part: {**parts.get(part, {}), **values}})


@pytest.mark.parametrize("part", PARTS)
def test_each_way_has_its_own(part: str) -> None:
    settings = loaded(part, ca_path=certifi.where(), proxy="http://me:p%40ss@proxy.test:3128")
    way = getattr(settings, part)
    assert (way.ca_path, way.proxy_url) == (Path(certifi.where()), "http://me:p%40ss@proxy.test:3128")
    assert [getattr(settings, other).proxy_url for other in PARTS if other != part] == [None, None]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    "proxy",
    [
        "proxy.test:3128",
        "socks5://me:PLANTED@proxy.test:1080",
        "http://",
        "http://me:PLANTED@",
        "http://me:PLANTED@proxy.test:port",
        "http://me:PLANTED@proxy.test:0",
        "http://me:PLANTED@proxy.test:99999",
        "http://me:PLANTED@proxy.test:3128/path",
        "http://me:PLANTED@proxy.test?a=b",
        "http://me:PLANTED@[proxy.test",
        "http://me:PLAN\nTED@proxy.test",
        "http://me:PLANTED/@proxy.test",
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_without_its_password(part: str, proxy: str) -> None:
    with pytest.raises(SettingsError, match=f"PARLEY_{part.upper()}__PROXY: must be http://host:port") as caught:
        loaded(part, proxy=proxy)
    assert "PLAN" not in str(caught.value)


def test_a_proxy_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    settings = loaded("fluidtalk", proxy="http://me:PLANTED@proxy.test")
    with caplog.at_level(logging.DEBUG):
        logging.getLogger().info("%s %r", settings, settings.fluidtalk)
    assert "PLANTED" not in f"{caplog.text} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"


def test_a_proxy_can_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "proxy").write_text("http://me:PLANTED@proxy.test\n")
    monkeypatch.setenv("PARLEY_IMAGES__PROXY_FILE", str(tmp_path / "proxy"))
    settings = load(env_file=None, **BASE, captivate={"environment": "dev"})
    assert settings.images.proxy_url == "http://me:PLANTED@proxy.test"


def test_a_file_without_a_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for path, said in ((tmp_path / "empty.pem", "holds no certificate"), (tmp_path / "none.pem", "No such file")):
        with pytest.raises(SettingsError, match=f"PARLEY_IMAGES__CA_PATH: .*{said}"):
            loaded("images", ca_path=path)


USABLE = [
    "https://api.example.com",
    "http://127.0.0.1:8002",
    "http://[::1]:8002/",
    "https://gateway_1.example.com:443",
]
UNUSABLE = [
    "api.example.com",
    "ftp://api.example.com",
    "https://",
    "https://?q=PLANTED",
    "https://user:PLANTED@api.example.com",
    "https://api.example.com/?key=PLANTED",
    "https://api.example.com/#PLANTED",
    "https://api.example.com?",
    "https://api example.com",
    "https://api.example.com:0",
    "https://api.example.com:port",
    "https://api.example.com:99999",
    "https://[::1",
    "https://::1",
    "https://a..b",
    f"https://{'a' * 64}.example.com",
    "https://m\u00fcnchen.example.com",
    "https://api.example.com\\@other",
    "https://api.exa%mple.com",
]


@pytest.mark.parametrize("part", ["fluidtalk", "captivate"])
@pytest.mark.parametrize("url", UNUSABLE)
def test_an_address_that_cannot_be_called_is_refused_without_quoting_it(part: str, url: str) -> None:
    with pytest.raises(SettingsError, match=rf"PARLEY_{part.upper()}__BASE_URL: must be http\(s\)://host") as caught:
        loaded(part, base_url=url)
    assert "PLANTED" not in str(caught.value)


def test_only_fluidtalk_may_be_below_a_path() -> None:
    assert loaded("fluidtalk", base_url="https://gateway.test/fluidtalk").fluidtalk.base_url
    with pytest.raises(SettingsError, match="without path"):
        loaded("captivate", base_url="https://gateway.test/captivate")


@pytest.mark.parametrize("part", ["fluidtalk", "captivate"])
@pytest.mark.parametrize("url", USABLE)
@pytest.mark.parametrize("key", ["ft_sk_ava", "ftc_ava"])
def test_with_an_address_that_is_taken_all_parts_can_be_built(part: str, url: str, key: str) -> None:
    settings = loaded(part, base_url=url)
    persona = {"api_key": key, **({"platform": "instagram"} if key.startswith("ftc") else {})}
    parts = {"fluidtalk": settings.fluidtalk, "captivate": settings.captivate, "personas": {"ava": persona}}
    bootstrap.build(load(env_file=None, redis_url="redis://", **parts)).close()


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"a b": "PLANTED"}, "header 1 has no usable name"),
        ({"X-One": "1", "": "PLANTED"}, "header 2 has no usable name"),
        ({"Content-Type": "PLANTED"}, "header Content-Type is one that Parley writes itself"),
        ({"X-Gateway": "PLANTED\nX-Other: 1"}, "the value of header X-Gateway must be one line of printable ASCII"),
        ({"X-Gateway": " PLANTED"}, "the value of header X-Gateway must be one line of printable ASCII"),
        ({"X-Gateway": "PLANT\u00c9D"}, "the value of header X-Gateway must be one line of printable ASCII"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(headers: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=f"PARLEY_CAPTIVATE__HEADERS: {said}") as caught:
        loaded("captivate", environment="dev", headers=headers)
    assert "PLANT" not in str(caught.value)


def test_headers_that_are_taken_can_be_sent() -> None:
    headers = {"X-Gateway": "one two", "Authorization": "Bearer x=", "x!#$%&'*+.^_`|~": "~"}
    bootstrap.build(loaded("captivate", environment="dev", headers=headers)).close()
