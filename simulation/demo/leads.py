"""The scripted leads of the demo: what each one does, and what the logs must show of it afterwards."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from simulation.demo.doors import DemoEvent
from simulation.demo.evidence import Evidence
from simulation.demo.lines import Line
from simulation.judge.log import Sent
from simulation.upstreams.control import SimulationControl
from simulation.upstreams.pictures import PHOTO
from worker.domain.events import AiOpener, EventTrigger, InboundChat

PERSONAS = {
    "ava": "ft_sk_demo_ava",
    "bea": "ft_sk_demo_bea",
    "cleo": "ft_sk_demo_cleo",
    "dora": "ftc_live_demo_dora",
}
FOLLOW_UP_SECONDS = 4.0
WORDS_LOST = "Sorry, I was cut off. What would you like to know?"
SETTINGS = {
    "PARLEY_PERSONAS__AVA__ON_SEALED__ACTION": "escalate_to_human",
    "PARLEY_PERSONAS__CLEO__FOLLOW_UPS__DELAYS_SECONDS": f"[{FOLLOW_UP_SECONDS:g}]",
    # Of leads that name none; all of its leads in the demo name another one.
    "PARLEY_PERSONAS__DORA__PLATFORM": "instagram",
    "PARLEY_PERSONAS__DORA__ON_TEXT_LOST__ACTION": "line",
    "PARLEY_PERSONAS__DORA__ON_TEXT_LOST__LINE": WORDS_LOST,
    "PARLEY_NOTICES__KEEP": "true",
    # In what Captivate posts, the handle is here. It may be shown: it is no session id.
    "PARLEY_INGRESS__CAPTIVATE__TARGET": "metadata.internal.channelMetadata.custom.handle",
    "PARLEY_INGRESS__CAPTIVATE__TARGET_AS": "shown",
}

# A script pauses for so many seconds, or until something has happened.
Step = float | Callable[[], bool]
Script = Iterator[Step]
Seen = tuple[bool, str]


class Stage(Protocol):
    """What a lead acts on."""

    @property
    def upstreams(self) -> SimulationControl: ...
    @property
    def fluidtalk_url(self) -> str: ...
    def enqueue(self, event: DemoEvent) -> None: ...
    def post(self, event: DemoEvent) -> None: ...
    def post_captivate(self, persona: str, payload: dict[str, Any]) -> None: ...
    def show(self, line: Line) -> None: ...


class ScriptedLead(ABC):
    """One lead. ``expected``: what must come out, in words; ``seen`` compares it with the logs.

    ``begins_at``: seconds after the start of the round. ``sent``: the messages to which an answer is due.
    Of a lead that is not ``shown`` no lines are printed and no timeline is read. What a lead does comes ``over_http``
    through the ingress, or through the producer.
    """

    handle: str
    persona: str
    expected: str
    begins_at: float
    shown = True
    over_http = False
    image_name = ""

    def __init__(self, stage: Stage, number: int = 1) -> None:
        self.stage = stage
        self.target = self.handle if number == 1 else f"{self.handle}-{number}"
        self.session_id = f"session{self.target.replace('@', '-')}"
        self.evidence = Evidence()
        self.sent: list[Sent] = []

    @abstractmethod
    def script(self) -> Script:
        """What the lead does, step by step."""

    @abstractmethod
    def seen(self) -> Seen:
        """Whether the logs show what was expected, and what they show."""

    def writes(self, text: str, *, answer_due: bool = True) -> None:
        """Send one message."""
        event = InboundChat.model_validate({**self._identity(), "message": text, "channel": self.payload()})
        self._sends(event)
        self._has_said(text, answer_due=answer_due)

    def sends_payload(self, text: str, files: list[dict[str, Any]]) -> None:
        """Send text and files as a whole Captivate request."""
        payload = {**self.payload(), "endpoint": "action", "user_input": text, "files": files}
        self.stage.post_captivate(self.persona, payload)
        self._has_said(text, f"  [{self.image_name}]")

    def opens(self) -> None:
        """Have the persona write first."""
        self.arranges("a producer enqueues an opener: the persona writes first")
        self._sends(AiOpener.model_validate({**self._identity(), "channel": self.payload()}))

    def does(self, event_type: str, context: dict[str, Any]) -> None:
        """Do something on the platform."""
        self.arranges(f"a platform event: {event_type} {' '.join(map(str, context.values()))}")
        event = {"event_type": event_type, "context": context, "channel": self.payload()}
        self._sends(EventTrigger.model_validate({**self._identity(), **event}))

    def arranges(self, text: str) -> None:
        """Tell the spectator what the demo has arranged."""
        self.stage.show(Line(time.time(), self.target, "stage", text))

    def got(self, bubbles: int) -> Callable[[], bool]:
        """Whether so many texts have reached the lead."""
        return lambda: len(self.evidence.bubbles) >= bubbles

    def payload(self) -> dict[str, Any]:
        """The Captivate request of this lead, without what it says."""
        name = self.handle.rpartition("@")[2].capitalize()
        channel = {
            "channelMetadata": {"channel": "custom-channel", "channelData": {}},
            "user": {"firstName": name, "lastName": None, "email": None},
            "custom": {"mode": "demo", "handle": self.target},
        }
        metadata = {"internal": {"channelMetadata": channel}}
        return {"session_id": self.session_id, "metadata": metadata, "hasLivechat": False}

    def _identity(self) -> dict[str, str]:
        return {"persona": self.persona, "target": self.target}

    def _sends(self, event: DemoEvent) -> None:
        if self.over_http:
            self.stage.post(event)
        else:
            self.stage.enqueue(event)

    def _has_said(self, text: str, note: str = "", *, answer_due: bool = True) -> None:
        at = time.time()
        if answer_due:
            self.sent.append(Sent(self.persona, self.target, text, at))
        if self.shown:
            self.stage.show(Line(at, self.target, "lead", text + note))


class Burst(ScriptedLead):
    """Types three messages in a row."""

    handle, persona, begins_at = "@maya", "ava", 0.3
    expected = "3 messages in a row: one turn, 3 bubbles"

    def script(self) -> Script:
        self.writes("hey, saw your post!")
        yield 0.5
        self.writes("the one about the surf camp")
        yield 0.6
        self.writes("is there a place left in June?")
        yield self.got(3)

    def seen(self) -> Seen:
        texts = [message.text for message in self.sent]
        asked = [call.fields.get("message") for call in self.evidence.asks]
        bubbles = self.evidence.bubbles
        lines = asked[0].count("\n") + 1 if asked and asked[0] else 0
        right = asked == ["\n".join(texts)] and bubbles == [f"You said: {text}" for text in texts]
        return right, f"{len(asked)} call with {lines} lines, {len(bubbles)} bubbles"


class ImageSender(ScriptedLead):
    """Sends a picture; its link is a presigned one that would expire."""

    handle, persona, begins_at = "@liam", "ava", 1.8
    image_name = "board.png"
    expected = "image fetched, hosted, asked with hosted link"

    def script(self) -> Script:
        url = f"{self.stage.fluidtalk_url}/media/photo.png?X-Expires=300&X-Signature=4f9c2d"
        file = {"type": "image/png", "filename": self.image_name, "storage": {"presignedUrl": url}}
        self.arranges(f"Captivate posts this to the ingress: /v1/captivate/{self.persona}")
        self.sends_payload("would this board do for a beginner?", [file])
        yield self.got(2)

    def seen(self) -> Seen:
        hosted = [str(call.fields.get("image_url")) for call in self.evidence.asks]
        files = [call.fields.get("file") for call in self.evidence.uploads if call.acted]
        right = (
            files == [{"name": self.image_name, "bytes": len(PHOTO)}]
            and len(hosted) == 1
            and hosted[0].startswith(f"{self.stage.fluidtalk_url}/media/")
            and hosted[0].endswith(f"/{self.image_name}")
            and self.evidence.bubbles[-1:] == [f"You sent an image: {hosted[0]}"]
        )
        path = hosted[0].removeprefix(self.stage.fluidtalk_url) if hosted else "no link"
        return right, f"{len(files)} upload, {len(hosted)} call, {path}"


class Opened(ScriptedLead):
    """Is written to first, answers, and asks for a photo."""

    handle, persona, begins_at = "@omar", "ava", 3.2
    expected = "opener, the lead's reply, then a photo"

    def script(self) -> Script:
        self.opens()
        yield self.got(1)
        yield 0.8
        self.writes("oh hi Ava! a photo please?")
        yield lambda: bool(self.evidence.photos)

    def seen(self) -> Seen:
        actions = [call.action for call in self.evidence.asks]
        bubbles, photos = self.evidence.bubbles, self.evidence.photos
        last = self.evidence.delivered[-1].fields["response"] if self.evidence.delivered else []
        right = (
            actions == ["OUTREACH", None]
            and bubbles == [f"Hello {self.target}, this is {self.persona}.", f"You said: {self.sent[0].text}"]
            and [message["type"] for message in last] == ["text", "files"]
            and len(photos) == 1
        )
        return right, f"{actions.count('OUTREACH')} opener, {len(bubbles)} bubbles, {len(photos)} photo"


class EventInLiveChat(ScriptedLead):
    """Reacts to a story in the middle of a chat."""

    handle, persona, begins_at = "@nina", "ava", 5.0
    expected = "event folded into the live chat as its turn 2"
    over_http = True

    def script(self) -> Script:
        self.arranges("what this lead does comes over HTTP, to the ingress: /v1/events")
        self.writes("do you also teach kite surfing?")
        yield self.got(1)
        yield 0.6
        self.does("story_reaction", {"reaction": "🔥"})
        yield self.got(2)

    def seen(self) -> Seen:
        turns = [(call.action, call.turn) for call in self.evidence.asks]
        bubbles = self.evidence.bubbles
        right = (
            turns == [(None, 1), ("ENTRY_POINT", 2)]
            and len(bubbles) == 2
            and bubbles[1].startswith("You did: story_reaction")
        )
        event_turns = [str(turn) for action, turn in turns if action == "ENTRY_POINT"]
        return right, f"event is turn {', '.join(event_turns) or 'none'}, {len(bubbles)} bubbles"


class QuietLead(ScriptedLead):
    """Says one thing and goes quiet."""

    handle, persona, begins_at = "@zoe", "cleo", 0.9
    expected = f"quiet for {FOLLOW_UP_SECONDS:g} s: one follow-up, from beat"

    def script(self) -> Script:
        self.writes("what does a week cost?")
        yield self.got(1)
        yield self.got(2)
        # Long enough for a second one to show, if there were one.
        yield FOLLOW_UP_SECONDS + 1.5

    def seen(self) -> Seen:
        follow_ups = [call for call in self.evidence.asks if call.action == "FOLLOW_UP"]
        delivered = self.evidence.delivered
        waited = follow_ups[0].start_wall - delivered[0].end_wall if follow_ups and delivered else 0.0
        dispatched = self.evidence.follow_ups_accepted()
        right = (
            dispatched == len(follow_ups) == 1
            and waited >= FOLLOW_UP_SECONDS
            and self.evidence.bubbles[1:] == [f"Are you still there, {self.target}?"]
        )
        return right, f"{dispatched} dispatched, {len(follow_ups)} call, after {waited:.1f} s"


class SealedLead(ScriptedLead):
    """Goes on writing after the persona has finished the conversation."""

    handle, persona, begins_at = "@ivan", "ava", 2.5
    expected = "DONE: to a human; a further message: no call"

    def script(self) -> Script:
        self.writes("ok, booked. thanks for all!")
        yield self.got(1)
        self.stage.upstreams.seal(self.persona, self.target)
        self.arranges("the persona finishes this conversation: from now on it answers 400 DONE")
        yield 0.4
        self.writes("one more thing: towels?", answer_due=False)
        yield lambda: bool(self.evidence.actions)
        yield 0.4
        self.writes("hello? anybody?", answer_due=False)
        yield lambda: self.evidence.words.count("sealed") == 2

    def seen(self) -> Seen:
        statuses, actions = self.evidence.statuses, self.evidence.actions
        sealed = self.evidence.words.count("sealed")
        right = statuses == [200, 400] and actions == ["escalateToHuman"] and sealed == 2
        right = right and self.evidence.bubbles == [f"You said: {self.sent[0].text}"]
        return right, f"{_listed(statuses)}, {_listed(actions)}, {sealed} sealed"


class OwnedElsewhere(ScriptedLead):
    """Belongs to another account of the persona."""

    handle, persona, begins_at = "@kate", "ava", 6.2
    expected = "owned by another account: ignored, no send"

    def script(self) -> Script:
        self.stage.upstreams.own_elsewhere(self.persona, self.target)
        self.arranges("this lead belongs to another account of the persona")
        self.writes("hi, do I know you?", answer_due=False)
        yield lambda: "ignored" in self.evidence.words

    def seen(self) -> Seen:
        ignored, asks, sends = self.evidence.words.count("ignored"), len(self.evidence.asks), len(self.evidence.sends)
        return (ignored, asks, sends) == (1, 1, 0), f"{asks} call, {ignored} ignored, {sends} sends"


def _listed(values: list[Any]) -> str:
    return ", ".join(str(value) for value in values) or "none"


CALM: tuple[type[ScriptedLead], ...] = (
    Burst,
    QuietLead,
    ImageSender,
    SealedLead,
    Opened,
    EventInLiveChat,
    OwnedElsewhere,
)
