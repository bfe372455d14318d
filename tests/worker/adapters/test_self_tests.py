"""What ``parley check`` says of personas of the Characters API, asked at the double."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from config.settings import Settings
from simulation.upstreams.control import SimulatedUpstreams
from simulation.upstreams.faults import FaultKind, FaultRule
from worker.adapters.self_tests import of_personas


@pytest.fixture
def found(make_settings: Callable[..., Settings], upstreams: SimulatedUpstreams) -> Callable[..., Any]:
    def look(token: str = "ftc_live_cleo", base_url: str = upstreams.fluidtalk_url) -> Any:
        personas = {"ava": {"api_key": "ft_sk_ava"}, "cleo": {"api_key": token, "platform": "instagram"}}
        (finding,) = of_personas(make_settings(personas=personas, fluidtalk={"base_url": base_url}))
        assert finding.check == "persona cleo"
        return finding

    return look


def test_a_persona_that_is_wired_right_is_ok(found: Callable[..., Any]) -> None:
    assert found().level == "ok"


def test_a_refused_token_is_a_failure_that_does_not_quote_it(found: Callable[..., Any]) -> None:
    finding = found(token="ftc_live_wrong")
    assert (finding.level, finding.means) == ("failure", "FluidTalk refuses its token (401)")
    assert "PARLEY_PERSONAS__CLEO__API_KEY" in finding.remedy
    assert "ftc_live_wrong" not in repr(finding)


@pytest.mark.parametrize(
    ("fireable", "says"),
    [
        (["outreach", "b", "a"], "; types of platform events that it knows: a, b"),
        (["outreach"], "; types of platform events that it knows: none"),
        ([str(number) for number in range(10, 40)], ", 28, 29, 10 more"),
        (None, "its self test passed, platform instagram"),
    ],
)
def test_the_triggers_that_can_be_fired_are_named(
    found: Callable[..., Any], upstreams: SimulatedUpstreams, fireable: list[str] | None, says: str
) -> None:
    body = {"data": {"ok": True, "fireable_event_ids": fireable}}
    upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=200, body=body))
    finding = found()
    assert finding.level == "ok"
    assert finding.means.endswith(says)


@pytest.mark.parametrize(
    ("fireable", "named"),
    [
        (["outreach", "comment", "gift"], []),
        (["outreach", "gift"], ["comment"]),
        ([], ["comment", "gift"]),
        (None, []),
    ],
)
def test_used_types_that_fluidtalk_does_not_know_are_named(
    make_settings: Callable[..., Settings], upstreams: SimulatedUpstreams, fireable: list[str] | None, named: list[str]
) -> None:
    upstreams.add_fault(
        FaultRule(kind=FaultKind.ANSWER, status=200, body={"data": {"ok": True, "fireable_event_ids": fireable}})
    )
    cleo = {"api_key": "ftc_live_cleo", "platform": "instagram"}
    settings = make_settings(personas={"cleo": cleo}, fluidtalk={"base_url": upstreams.fluidtalk_url})
    found = of_personas(settings, {"cleo comment": 3, "cleo gift": 1, "dora other": 2})
    assert [finding.level for finding in found] == ["ok", "warning"][: 1 + bool(named)]
    assert not named or found[1].means.endswith(f"FluidTalk does not know: {', '.join(named)}")


def test_a_type_that_one_platform_knows_is_known(
    make_settings: Callable[..., Settings], upstreams: SimulatedUpstreams
) -> None:
    for known in (["comment"], ["gift"]):
        body = {"data": {"ok": True, "fireable_event_ids": known}}
        upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=200, body=body, first=1))
    pulled = {"enabled": True, "platforms": "telegram,instagram"}
    cleo = {"api_key": "ftc_live_cleo", "platform": "instagram", "pulled_follow_ups": pulled}
    settings = make_settings(personas={"cleo": cleo}, fluidtalk={"base_url": upstreams.fluidtalk_url})
    found = of_personas(settings, ["cleo comment", "cleo gift", "cleo coment"])
    assert [finding.means for finding in found][2:] == [
        "of the platform events that it was told of in the last days, FluidTalk does not know: coment"
    ]


def test_each_platform_is_asked_for_until_one_gives_no_result(
    make_settings: Callable[..., Settings], upstreams: SimulatedUpstreams
) -> None:
    pulled = {"enabled": True, "platforms": "telegram,instagram"}
    cleo = {"api_key": "ftc_live_cleo", "platform": "instagram", "pulled_follow_ups": pulled}
    settings = make_settings(personas={"cleo": cleo}, fluidtalk={"base_url": upstreams.fluidtalk_url})
    first, second = of_personas(settings)
    assert ("instagram" in first.means, "telegram" in second.means) == (True, True)
    upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=503))
    assert [finding.level for finding in of_personas(settings)] == ["warning"]


def test_an_empty_wallet_is_named(found: Callable[..., Any], upstreams: SimulatedUpstreams) -> None:
    upstreams.set_credits("cleo", 0)
    finding = found()
    assert (finding.level, finding.means) == ("failure", "its self test at FluidTalk failed (wallet)")


def test_a_platform_that_is_not_bound_is_a_failure(found: Callable[..., Any], upstreams: SimulatedUpstreams) -> None:
    body = {"data": {"ok": True, "checks": [], "bound_platforms": ["telegram"]}}
    upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=200, body=body))
    finding = found()
    assert finding.level == "failure"
    assert "platform instagram is not bound at FluidTalk (bound: telegram)" in finding.means


@pytest.mark.parametrize("status", [500, 503, 404])
def test_no_result_is_a_warning(found: Callable[..., Any], upstreams: SimulatedUpstreams, status: int) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=status))
    finding = found()
    assert finding.level == "warning"
    assert f"status {status}" in finding.means


def test_a_server_that_cannot_be_reached_is_a_warning(found: Callable[..., Any]) -> None:
    finding = found(base_url="http://127.0.0.1:1")
    assert finding.level == "warning"
    assert "no answer" in finding.means


def test_without_such_a_persona_nobody_is_asked(
    make_settings: Callable[..., Settings], upstreams: SimulatedUpstreams
) -> None:
    assert of_personas(make_settings(fluidtalk={"base_url": upstreams.fluidtalk_url})) == []
    assert upstreams.calls() == []
