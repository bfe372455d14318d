"""Calls and events as the logs of a chaos run would have them, and a subject that only keeps books."""

from __future__ import annotations

import itertools

from simulation.chaos.endings import Ending
from simulation.chaos.incidents import Incidents
from simulation.chaos.ledger import draw_up
from simulation.judge.log import Sent
from simulation.judge.notices import Notices
from simulation.judge.pushed import Pushed
from simulation.judge.words import session_of
from simulation.upstreams.call_log import Call

ARRIVALS = itertools.count(1)

POISON = Ending("dead", "poison_asking", "times=3")
GAVE_WAY = Ending("skipped", "lead_wrote")
UNKNOWN = Ending("dead", "outcome_unknown")
TEXT_LOST = Ending("answered", "text_lost")
NOT_FOUND = Ending("skipped", "no_conversation")


def ask(text, *, at=0.0, acted=True, target="@lead", gone=False, fault=None, image=""):
    if not acted and not fault:
        fault = "answer"
    return Call(
        service="fluidtalk",
        method="POST",
        path="/api/v1/bot/chat",
        persona="ava",
        target=target,
        fields={"message": text, "image_url": image},
        arrived=next(ARRIVALS),
        acted=acted,
        client_gone=gone,
        fault=fault,
        start_wall=at,
        end_wall=at + 1,
    )


def act(name, action="ENTRY_POINT", *, at=0.0, acted=True, status=200, fault=None):
    return Call(
        service="fluidtalk",
        method="POST",
        path="/api/v1/bot/action",
        persona="ava",
        target="@lead",
        action=action,
        fields={"own_username": name},
        arrived=next(ARRIVALS),
        acted=acted,
        status=status,
        fault=fault,
        start_wall=at,
        end_wall=at + 1,
    )


def send(text, *, at=0.0, acted=True, key="k", target="@lead", event=None, says="You said: {}"):
    own = {"channel": "custom-channel", **({"event": event} if event else {})}
    return Call(
        service="captivate",
        method="POST",
        path="/api/channel/v2/sendMessage",
        session_id=session_of("ava", target),
        fields={
            "response": [{"type": "text", "text": says.format(part)} for part in text.split("\n")],
            "metadata": {"internal": {"channelMetadata": {"channelMetadata": own}}},
        },
        idempotency_key=key,
        arrived=next(ARRIVALS),
        acted=acted,
        start_wall=at,
        end_wall=at + 1,
    )


class Bookkeeper:
    """A subject that only has something to say about itself."""

    doorbells_are_hints = True

    def __init__(self, *, endings=None, words=(), unexplained=0, waiting=0, notices=None, pushed=None):
        self._notices = notices or Notices()
        self._pushed = pushed or Pushed()
        self._endings, self._words = endings or {}, words
        self._unexplained, self._waiting = unexplained, waiting

    def endings(self, persona, target):
        return self._endings

    def ending_of(self, persona, target, event_id):
        return self._endings.get(event_id)

    def words(self, persona, target):
        return self._words

    def unexplained(self):
        return self._unexplained

    def waiting(self):
        return self._waiting

    def notices(self):
        return self._notices

    def pushed(self, received):
        return self._pushed


def broken(calls, sent=("a", "b"), *, buries=False, **says):
    sent = [chat(event) if isinstance(event, str) else event for event in sent]
    return draw_up(sent, calls, Incidents(), Bookkeeper(**says), 1.0, buries=buries).broken


def chat(text, image="", at=0.0):
    return Sent("ava", "@lead", text, at, image=image)


def event(name, kind, at=0.0):
    return Sent("ava", "@lead", name, at, kind)


def spoken(name, **options):
    return send("Are you still there?", key=name, event=name, says="{}", **options)


def answered(*texts):
    return [call for text in texts for call in (ask(text), send(text, key=text))]
