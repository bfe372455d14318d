"""``parley forget``: erase one lead's data."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from worker.cli import screen
from worker.cli.arguments import TargetArgument
from worker.cli.ending import No
from worker.cli.session import Session, conversation_of, session
from worker.domain.conversation import Conversation
from worker.store.operator.erasure import Forgotten, Traces

PersonaArgument = Annotated[str, typer.Argument(metavar="PERSONA", help="The persona that the lead talked with.")]

_POLL_SECONDS = 0.1

KEPT = (
    "Kept: the counters of the books (accepted, answered, dead ...), which name no lead and must balance; log lines, "
    "Flower's history, backups and the append-only file of the store, which name the lead until they are rotated; what "
    "FluidTalk and Captivate keep."
)


_WOULD_BE_LOST = (
    "This lead has opted out, and without a key for its hash that would be forgotten: the lead would get messages "
    "again. Set PARLEY_CONSENT__HASH_KEY in all processes, or forget it, too: parley forget --also-consent"
)


def forget(
    persona: PersonaArgument,
    target: TargetArgument,
    wait: Annotated[bool, typer.Option("--wait", help="When a turn runs, wait for its end.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    also_consent: Annotated[
        bool, typer.Option("--also-consent", help="Forget also that the lead opted out or in, for all personas.")
    ] = False,
) -> None:
    """Erase all that is stored of one lead with one persona: messages, answers, timeline, dead letters, seal ...

    What waits ends as skipped ("forgotten"), without an answer. It cannot be undone.
    A lead who writes again starts a new conversation, also one who was sealed. But a lead who opted out stays opted
    out: a keyed hash of the name is kept for that (PARLEY_CONSENT__HASH_KEY).
    An old event that a producer sends again is no longer recognised.

    Example: parley forget ava @john_doe
    """
    conversation = conversation_of(persona, target)
    with session() as opened:
        traces = opened.store.forgetting.traces(conversation)
        if traces.nothing:
            raise No("Nothing is stored of this conversation: check the spelling of persona and target.")
        if traces.running and not wait:
            raise No("A turn is under way, so nothing was changed. Try again, or: parley forget --wait")
        if traces.consent == "out" and not (also_consent or opened.store.forgetting.keeps_consent):
            raise No(_WOULD_BE_LOST)
        if not yes:
            screen.show(screen.fields(_told(traces)), screen.lines([KEPT]))
            if not typer.confirm("Erase it for good?"):
                raise No("Nothing was changed.")
        done = _forget(opened, conversation, wait=wait, also_consent=also_consent)
        left = opened.store.forgetting.traces(conversation)
    screen.say(f"Erased. Events: {done.events}; of these waited and ended as skipped: {done.skipped}.")
    if not left.nothing:
        raise No("But something new has come in meanwhile: run it again, if that is to go, too.")


def _forget(opened: Session, conversation: Conversation, *, wait: bool, also_consent: bool) -> Forgotten:
    settings, forgetting = opened.settings, opened.store.forgetting
    turn_seconds = settings.fluidtalk.total_seconds + settings.captivate.total_seconds + settings.images.total_seconds
    until = time.monotonic() + turn_seconds + settings.lease.ttl_seconds
    while True:
        done = opened.acts().forget(conversation, forgetting.traces(conversation), also_consent=also_consent)
        if done.status == "forgotten":
            return done
        if not wait:
            raise No("A turn has just begun, so nothing was changed. Try again, or: parley forget --wait")
        while forgetting.is_running(conversation):
            if time.monotonic() > until:
                raise No("Turns go on without end in this conversation. Pause it first: parley claim PERSONA TARGET")
            time.sleep(_POLL_SECONDS)


def _told(traces: Traces) -> dict[str, object]:
    return {
        "events with all their texts": len(traces.events),
        "  of these wait, and end as skipped": traces.waiting,
        "  of these are dead letters": traces.dead,
        "moments of the timeline": traces.timeline,
        "lines of the transcript": traces.transcript,
        "channel, lease and counters": "yes" if traces.has_state else "no",
        "planned follow-up": "yes" if traces.follow_up else "no",
        "seal (will be forgotten, too)": "yes" if traces.sealed else "no",
        "takeover (will end)": "yes" if traces.taken_over else "no",
        "messages in queues": traces.messages,
        "named in the audit (the act stays)": "yes" if traces.in_audit else "no",
        "sessions of the channel (ingress)": traces.sessions,
        "consent (kept as a keyed hash)": {"out": "opted out", "in": "opted in", None: "no"}[traces.consent],
    }
