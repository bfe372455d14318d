"""Who the lead of a Captivate request is."""

from __future__ import annotations

import pytest

from config.ingress import CaptivateDoor
from config.personas import Persona
from config.sections import Privacy
from worker.adapters.captivate_leads import Leads
from worker.adapters.captivate_requests import from_captivate
from worker.domain.events import InboundChat

HANDSHAKE = Persona()
CHARACTERS = Persona(platform="instagram")
ACCOUNTS = Persona(platform="instagram", separate_accounts=("a1", "a2"), own_username="a2")
REPLACED = chr(0xFFFD)
CHANNEL = {"session_id": "s", "metadata": {}}


def shown(value, persona=HANDSHAKE, session_id="s"):
    leads = Leads(CaptivateDoor(target="user.name", target_as="shown"), Privacy())
    return leads.target_of({"session_id": session_id, "user": {"name": value}}, persona)


def is_taken(target):
    made = InboundChat(persona="ava", target=target, message="hi", channel=CHANNEL)
    return made.target == target


@pytest.mark.parametrize(
    ("door", "is_hashed"),
    [
        ({}, True),
        ({"target": "user.name", "target_as": "shown"}, False),
        ({"target": "user.name"}, True),
        ({"target": "user.number", "target_as": "shown"}, False),
    ],
)
def test_the_lead_is_what_stands_at_the_path(door, is_hashed):
    leads = Leads(CaptivateDoor(**door), Privacy())
    one = leads.target_of({"session_id": "s", "user": {"name": "@john", "number": 7}}, HANDSHAKE)
    assert one.startswith("lead-") is is_hashed
    assert one == leads.target_of({"session_id": "s", "user": {"name": "@john", "number": 7}}, HANDSHAKE)
    assert one != leads.target_of({"session_id": "t", "user": {"name": "@jane", "number": 8}}, HANDSHAKE)


@pytest.mark.parametrize("value", [None, "", " ", ["@john"], True, "\ud800", "jo\ud83d", f"jo{REPLACED}"])
@pytest.mark.parametrize("target_as", ["shown", "hashed"])
def test_without_a_value_that_names_a_lead_it_is_the_session(value, target_as):
    leads = Leads(CaptivateDoor(target="user.name", target_as=target_as), Privacy())
    request = {"session_id": "s", "user": {"name": value}}
    target = leads.target_of(request, HANDSHAKE)
    assert target == Leads(CaptivateDoor(), Privacy()).target_of({"session_id": "s"}, HANDSHAKE)
    assert target != leads.target_of({**request, "session_id": "t"}, HANDSHAKE)
    assert is_taken(target)


@pytest.mark.parametrize(
    ("value", "persona"),
    [
        ("a\nb", HANDSHAKE),
        ("x" * 257, HANDSHAKE),
        ("x" * 247, CHARACTERS),
        ("x" * 244, ACCOUNTS),
        ("telegram/bob", CHARACTERS),
        ("instagram/bob", CHARACTERS),
        ("Bob/Ann", CHARACTERS),
        ("/", CHARACTERS),
        ("a1/bob", ACCOUNTS),
        ("instagram/a1/bob", ACCOUNTS),
    ],
)
def test_a_value_that_can_not_be_shown_is_hashed_and_is_one_lead_in_all_sessions(value, persona):
    target = shown(value, persona)
    assert target.startswith("lead-")
    assert target == shown(value, persona, session_id="t")
    assert target != shown(f"{value}2", persona)
    assert from_captivate({**CHANNEL, "user_input": "hi"}, persona="ava", target=target).target == target


@pytest.mark.parametrize(
    ("value", "persona"),
    [
        ("x" * 256, HANDSHAKE),
        ("instagram/@john", HANDSHAKE),
        ("x" * 246, CHARACTERS),
        ("x" * 243, ACCOUNTS),
        ("@john", CHARACTERS),
        ("j\u00fcrgen \U0001f600 100%", ACCOUNTS),
    ],
)
def test_what_can_be_a_target_stays_as_it_is(value, persona):
    assert shown(value, persona) == value


def test_the_hash_has_the_key_of_the_handles():
    keyed, unkeyed = (
        Leads(CaptivateDoor(), Privacy(**given)) for given in ({"handle_key": "of-the-operator-0123456789"}, {})
    )
    request = {"session_id": "s"}
    assert keyed.target_of(request, HANDSHAKE) != unkeyed.target_of(request, HANDSHAKE)
