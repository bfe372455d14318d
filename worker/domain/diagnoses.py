"""What can be wrong with the whole system, each as one sentence with its cure: pure.

``parley status``, ``parley check``, ``parley explain`` and docs/what-you-see.md say the same sentence; the alert of the
same name begins with the same words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from worker.domain.operator_words import as_shown
from worker.domain.reasons import read
from worker.domain.sentences import of_stored
from worker.domain.vocabulary import Cause, Gate

_FIGURE = re.compile(r"\bstatus=(\S+)")
_WORD = re.compile(r"\breason=(\S+)")
_ALL_LEADS = re.compile(r"\bleads=all\b")


class Diagnosis(NamedTuple):
    """``what``: a sentence without its full stop. ``do``: the cure. ``page``: the name of its page in docs/alerts.
    ``about``: the part of the system, as ``parley check`` names its lines."""

    what: str
    do: str
    page: str
    about: str


def store_refuses(code: str, means: str, remedy: str) -> Diagnosis:
    """The store takes no writes. ``means``: a predicate (``worker.store.redis.troubles``)."""
    if code == "OOM":
        return Diagnosis(f"the store is full ({code})", remedy, "store-full", "store")
    return Diagnosis(f"the store takes no writes: it {means} ({code})", remedy, "store-refuses-writes", "store")


def store_fills_up(used: str) -> Diagnosis:
    """The store's memory is nearly used up. ``used``: how much of how much."""
    what = f"the memory of the store is nearly full: {used}"
    return Diagnosis(what, "make room or raise its maxmemory: redis-cli INFO memory", "store-fills-up", "store")


def store_evicts(policy: str) -> Diagnosis:
    """The store deletes events when its memory is full."""
    what = f"the store deletes events when its memory is full (maxmemory-policy {policy})"
    return Diagnosis(what, "redis-cli CONFIG SET maxmemory-policy noeviction", "store-evicts", "store")


def no_process(role: str, state: str, name: str) -> Diagnosis:
    """No worker, or no beat, is alive. ``state`` and ``name``: of the last one, '' when none was there for a day."""
    what, do = f"no {role} is alive", f"start one: celery -A worker {role}"
    page = "no-worker" if role == "worker" else "no-scheduler"
    about = f"{role}s"
    process_id = name.rpartition(":")[2]
    match state:
        case "frozen":
            return Diagnosis(f"{what}: {name} is frozen", f"end it (kill -9 {process_id}), then {do}", page, about)
        case "dead":
            return Diagnosis(f"{what}: {name} is dead", f"look at the end of its log, then {do}", page, about)
        case "silent":
            done = f"end it if it still runs (kill -9 {process_id}), then {do}"
            return Diagnosis(f"{what}: {name} is frozen or dead", done, page, about)
        case "stopped":
            return Diagnosis(f"{what}: the last one was stopped", do, page, about)
        case _:
            return Diagnosis(f"{what}: none has run so far", do, page, about)


def persona_silent(persona: str, reason: str) -> Diagnosis:
    """FluidTalk cannot be reached for a persona: its circuit is open. ``reason``: as the store keeps it."""
    do = "nothing when it is known; it is tried every few seconds, and when it answers all continue"
    return Diagnosis(f"FluidTalk does not answer for {persona} ({_answer(reason)})", do, "circuit-open", "FluidTalk")


def key_refused(persona: str, reason: str) -> Diagnosis:
    """A persona is quarantined. ``reason``: as the store keeps it."""
    do = f"correct its key, restart the workers, then: parley resume {persona}"
    return Diagnosis(f"FluidTalk refuses the key of {persona} ({_answer(reason)})", do, "key-refused", "FluidTalk")


def credits_out(persona: str, reason: str = "") -> Diagnosis:
    """A persona is asked nothing: no credits, or it is paused at FluidTalk. ``reason``: as the store keeps it."""
    if paused_for := _WORD.search(reason):
        what = f"{persona} is paused at FluidTalk ({paused_for[1]})"
        do = "have FluidTalk continue it; a probe finds out by itself, and what waits continues"
        return Diagnosis(what, do, "credits-out", "FluidTalk")
    whom = "" if stops_all_leads(reason) else " for new leads"
    do = "buy credits; a probe finds out by itself, and what waits continues"
    return Diagnosis(f"{persona} has no credits{whom} (402)", do, "credits-out", "FluidTalk")


def stops_all_leads(reason: str) -> bool:
    """Whether a persona without credits answers no lead, not even one whom it has answered before."""
    return _ALL_LEADS.search(reason) is not None


def paused(persona: str, reason: str) -> Diagnosis:
    """An operator has paused a persona. ``reason``: in the operator's words."""
    do = f"when its reason is gone: parley resume {persona}"
    return Diagnosis(f"persona {persona} is paused ({as_shown(reason)})", do, "persona-paused", "personas")


def outreach_stopped(persona: str, reason: str) -> Diagnosis:
    """A persona does not speak first. ``reason``: as the store keeps it."""
    do = f"when the cause is mended: parley resume {persona} --gate outreach"
    what = f"persona {persona} sends no openers and follow-ups ({of_stored(reason)})"
    return Diagnosis(what, do, "outreach-stopped", "personas")


def unconfigured(persona: str) -> Diagnosis:
    """Events wait for a persona that these settings do not name."""
    do = "configure it and restart the workers; or give its leads up: parley forget PERSONA TARGET"
    return Diagnosis(f"persona {persona} is not configured", do, "persona-not-configured", "personas")


def channel_closed(reason: str) -> Diagnosis:
    """The channel's gate is closed. ``reason``: as the store keeps it."""
    do = "look whether Captivate works and lets us in; it is tried every few seconds, then all answers go out"
    return Diagnosis(f"Captivate takes no messages ({_answer(reason)})", do, "channel-closed", "Captivate")


def leads_held(persona: str, reason: str) -> Diagnosis:
    """Leads wait for another try, or in line. ``reason``: of the oldest, as the store keeps it."""
    do = "look at what the reason names: parley explain PERSONA TARGET of one of them"
    why = of_stored(reason) or "no reason told"
    return Diagnosis(f"leads of {persona} are held because of: {why}", do, "leads-held", "leads")


def leads_wait(persona: str) -> Diagnosis:
    """Nothing but a free worker is missing."""
    do = "more workers, or a larger PARLEY_WORKER__CONCURRENCY"
    return Diagnosis(f"leads of {persona} wait for a worker", do, "leads-wait", "leads")


def unread_queues(unread: Mapping[str, int], named_at_most: int = 5) -> Diagnosis:
    """Messages lie in queues that no worker reads. ``unread``: by queue."""
    named = [f"{name}: {messages}" for name, messages in list(unread.items())[:named_at_most]]
    if len(unread) > named_at_most:
        named.append(f"{len(unread) - named_at_most} more")
    what = f"messages lie in queues that no worker reads ({', '.join(named)})"
    do = "have the sender use the queue accept, then move or delete them"
    return Diagnosis(what, do, "queue-unread", "queues")


def doorbells_late(late: str) -> Diagnosis:
    """What is due gets no doorbell, though a beat and a worker run. ``late``: by how much."""
    what = f"no worker takes the queue schedule: what is due is {late} late"
    return Diagnosis(what, "start a worker for all queues, without the option -Q", "agenda-late", "agenda")


def follow_ups_late(late: str) -> Diagnosis:
    """Planned follow-ups are not sent. ``late``: the first one, by how much."""
    do = "see whether workers take the queue schedule, and whether many are due at once"
    return Diagnosis(f"follow-ups are {late} late", do, "follow-ups-late", "follow-ups")


def endpoint_paused(endpoint: str, reason: str) -> Diagnosis:
    """Nothing is pushed to an endpoint, by an operator's wish. ``reason``: in the operator's words."""
    do = f"when its reason is gone: parley notices resume {endpoint}"
    return Diagnosis(f"notices to {endpoint} are paused ({as_shown(reason)})", do, "notices-late", "notices")


def endpoint_given_up(endpoint: str, failure: str) -> Diagnosis:
    """An endpoint took nothing for days. ``failure``: the last one, as a code."""
    what = f"notices to {endpoint} are paused: for 3 days its receiver did not take one ({failure})"
    return Diagnosis(what, f"correct the receiver, then: parley notices resume {endpoint}", "notices-late", "notices")


def notices_late(endpoint: str, late: str, failure: str) -> Diagnosis:
    """Notices wait for their endpoint. ``late``: by how much. ``failure``: how calls to it fail, '' = they do not."""
    if failure:
        do = "look at the receiver; it is tried again at growing intervals, then all notices go out"
        return Diagnosis(
            f"notices to {endpoint} are {late} late: its receiver does not take them ({failure})",
            do,
            "notices-late",
            "notices",
        )
    do = f"a faster receiver, or a larger PARLEY_NOTICES__ENDPOINTS__{endpoint.upper()}__AT_ONCE"
    return Diagnosis(f"notices to {endpoint} are {late} late", do, "notices-late", "notices")


def notices_unsent(endpoint: str, late: str) -> Diagnosis:
    """No process sends to an endpoint. ``late``: how long its notices wait."""
    do = f"start one with its settings: python -m worker.web; or give it up: parley notices remove {endpoint}"
    return Diagnosis(f"no process sends notices to {endpoint}, they are {late} late", do, "notices-late", "notices")


_GATES = {
    Cause.PERSONA_UNAVAILABLE: Gate.CIRCUIT,
    Cause.PERSONA_UNKNOWN: Gate.CIRCUIT,
    Cause.IMAGE_NOT_HOSTED: Gate.CIRCUIT,
    Cause.CREDITS_OUT: Gate.CREDITS,
    Cause.KEY_REFUSED: Gate.QUARANTINED,
    Cause.CHANNEL_UNAVAILABLE: Gate.CHANNEL,
    Cause.CHANNEL_UNKNOWN: Gate.CHANNEL,
    Cause.CHANNEL_REFUSED: Gate.CHANNEL,
}


def gate_behind(reason: str) -> Gate | None:
    """The gate that closes for all when such a reason holds more than one conversation: while it is closed, it is what
    a person has to hear of. ``reason``: as the store keeps it."""
    found = read(reason)
    return _GATES.get(found.cause) if found else None


def _answer(reason: str) -> str:
    found = read(reason)
    if found is None:
        return "no answer"
    status = _FIGURE.search(found.detail)
    return f"status {status[1]}" if status else of_stored(reason)
