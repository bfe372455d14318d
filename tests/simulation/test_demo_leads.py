"""A scripted lead is content only with logs that show what its story promises."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from simulation.demo.characters import OF_CHARACTERS, PhotoInTheMiddle, TriggerInDoubt
from simulation.demo.crowd import CrowdLead
from simulation.demo.leads import (
    CALM,
    WORDS_LOST,
    Burst,
    EventInLiveChat,
    ImageSender,
    OwnedElsewhere,
    QuietLead,
    SealedLead,
)
from simulation.demo.troubles import TROUBLED, ChannelSilent, ChannelUnavailable, PersonaUnavailable, Throttled
from simulation.upstreams.call_log import Call
from simulation.upstreams.pictures import PHOTO
from worker import from_captivate
from worker.store.views.timeline import Moment

STORIES = (*CALM, *TROUBLED, *OF_CHARACTERS)


class Stage:
    """A stage that keeps what is put on it."""

    upstreams = None
    fluidtalk_url = "http://talk"

    def __init__(self):
        self.events = []
        self.lines = []

    def enqueue(self, event):
        self.events.append(event)

    post = enqueue

    def post_captivate(self, persona, payload):
        self.events.append(payload)

    def show(self, line):
        self.lines.append(line)


def ask(status=200, *, start=1.0, end=2.0, path="/", **changes):
    return Call(service="fluidtalk", method="POST", path=path, status=status, start_wall=start, end_wall=end, **changes)


def send(*texts, key="key", status=200, acted=True, actions=None):
    fields = {"response": [{"type": "text", "text": text} for text in texts], "outgoing_action": actions}
    values = {"status": status, "acted": acted, "idempotency_key": key, "end_wall": 3.0}
    return Call(service="captivate", method="POST", path="/", fields=fields, **values)


def moments(*words):
    return [Moment(datetime.now(UTC), word, ("follow_up", "id")) for word in words]


def lead_with(story, *texts, asks=(), sends=(), uploads=(), words=()):
    lead = story(Stage())
    for text in texts:
        lead.writes(text)
    lead.evidence.asks += asks
    lead.evidence.sends += sends
    lead.evidence.uploads += uploads
    lead.evidence.moments += moments(*words)
    return lead


@pytest.mark.parametrize("story", STORIES)
def test_no_story_holds_without_evidence(story):
    lead = lead_with(story, "hello")
    holds, said = lead.seen()
    assert not holds
    assert said


@pytest.mark.parametrize("story", STORIES)
def test_the_summary_has_room_for_what_is_expected(story):
    assert len(story.expected) <= 47
    assert len(story.handle) <= 9


def test_all_leads_have_names_of_their_own():
    handles = [story.handle for story in STORIES]
    assert len(set(handles)) == len(handles)


def test_later_rounds_have_leads_of_their_own():
    first, second = Burst(Stage(), 1), Burst(Stage(), 2)
    assert (first.target, second.target) == ("@maya", "@maya-2")
    assert first.session_id != second.session_id


JOINED = ask(fields={"message": "a\nb"})
IN_ORDER = send("You said: a", "You said: b")
TAKEN = send("You said: a", status=None)
AGAIN = send("You said: a")
FOLLOWED = ask(action="FOLLOW_UP", start=7.5)
NUDGE = send("Are you still there, @zoe?")
HOSTED = "http://talk/media/1/board.png"
UPLOAD = ask(acted=True, fields={"file": {"name": "board.png", "bytes": len(PHOTO)}})
ASKED_WITH_IMAGE = ask(fields={"image_url": HOSTED})
IMAGE_ANSWER = send("You said: a", f"You sent an image: {HOSTED}")
TO_HUMAN = send(actions=[{"id": "escalateToHuman"}])
EVENT = ask(action="ENTRY_POINT", turn=2)
EVENT_ANSWER = send("You did: story_reaction {}")
CHAT = ask(path="/api/v1/characters/chat", fields={"message": "a\nb"})
PHOTO_SECOND = send("You said: a", "", "You said: b")
PHOTO_SECOND.fields["response"][1] = {"type": "files", "files": [{"url": "http://talk/media/photo.png"}]}
PHOTO_LAST = send("You said: a", "You said: b", "")
PHOTO_LAST.fields["response"][2] = PHOTO_SECOND.fields["response"][1]


def trigger(external_id, *, acted, status=200):
    return ask(status, acted=acted, action="new_follower", fields={"external_event_id": external_id})


CUT_OFF = trigger("id", acted=True, status=None)
SORRY = send(WORDS_LOST)


@pytest.mark.parametrize(
    ("story", "texts", "evidence", "holds"),
    [
        (Burst, "ab", {"asks": [JOINED], "sends": [IN_ORDER]}, True),
        (Burst, "ab", {"asks": [JOINED, JOINED], "sends": [IN_ORDER]}, False),
        (Burst, "ab", {"asks": [JOINED], "sends": [send("You said: b", "You said: a")]}, False),
        (Throttled, "a", {"asks": [ask(429), ask(start=4.1)], "sends": [AGAIN]}, True),
        (Throttled, "a", {"asks": [ask(429), ask(start=3.9)], "sends": [AGAIN]}, False),
        (Throttled, "a", {"asks": [ask(429), ask(start=4.1)], "sends": [AGAIN, AGAIN]}, False),
        (PersonaUnavailable, "a", {"asks": [ask(503), ask()], "sends": [AGAIN]}, True),
        (PersonaUnavailable, "a", {"asks": [ask(503), ask(503), ask()], "sends": [AGAIN]}, False),
        (ChannelUnavailable, "a", {"asks": [ask()], "sends": [send(status=503, acted=False), AGAIN]}, True),
        (ChannelUnavailable, "a", {"asks": [ask(), ask()], "sends": [send(status=503, acted=False), AGAIN]}, False),
        (ChannelSilent, "a", {"asks": [ask()], "sends": [TAKEN, AGAIN], "words": ["resent"]}, True),
        (ChannelSilent, "a", {"asks": [ask()], "sends": [TAKEN, AGAIN]}, False),
        (ChannelSilent, "a", {"asks": [ask()], "sends": [TAKEN], "words": ["resent"]}, False),
        (
            ChannelSilent,
            "a",
            {"asks": [ask()], "sends": [TAKEN, send("You said: a", key="other")], "words": ["resent"]},
            False,
        ),
        (QuietLead, "a", {"asks": [ask(), FOLLOWED], "sends": [AGAIN, NUDGE], "words": ["accepted"]}, True),
        (QuietLead, "a", {"asks": [ask(), FOLLOWED], "sends": [AGAIN, NUDGE], "words": ["accepted"] * 2}, False),
        (QuietLead, "a", {"asks": [ask(), FOLLOWED, FOLLOWED], "sends": [AGAIN, NUDGE], "words": ["accepted"]}, False),
        (
            QuietLead,
            "a",
            {
                "asks": [ask(), ask(action="FOLLOW_UP", start=6.9)],
                "sends": [AGAIN, NUDGE],
                "words": ["accepted"],
            },
            False,
        ),
        (ImageSender, "a", {"asks": [ASKED_WITH_IMAGE], "sends": [IMAGE_ANSWER], "uploads": [UPLOAD]}, True),
        (ImageSender, "a", {"asks": [ASKED_WITH_IMAGE], "sends": [IMAGE_ANSWER]}, False),
        (ImageSender, "a", {"asks": [ASKED_WITH_IMAGE], "sends": [IMAGE_ANSWER], "uploads": [UPLOAD] * 2}, False),
        (
            ImageSender,
            "a",
            {
                "asks": [ask(fields={"image_url": "http://talk/photo.png?X"})],
                "sends": [IMAGE_ANSWER],
                "uploads": [UPLOAD],
            },
            False,
        ),
        (SealedLead, "a", {"asks": [ask(), ask(400)], "sends": [AGAIN, TO_HUMAN], "words": ["sealed"] * 2}, True),
        (
            SealedLead,
            "a",
            {"asks": [ask(), ask(400), ask(400)], "sends": [AGAIN, TO_HUMAN], "words": ["sealed"] * 2},
            False,
        ),
        (SealedLead, "a", {"asks": [ask(), ask(400)], "sends": [AGAIN], "words": ["sealed"] * 2}, False),
        (EventInLiveChat, "a", {"asks": [ask(turn=1), EVENT], "sends": [AGAIN, EVENT_ANSWER]}, True),
        (EventInLiveChat, "a", {"asks": [EVENT, ask(turn=1)], "sends": [AGAIN, EVENT_ANSWER]}, False),
        (PhotoInTheMiddle, "ab", {"asks": [CHAT], "sends": [PHOTO_SECOND]}, True),
        (PhotoInTheMiddle, "ab", {"asks": [CHAT], "sends": [PHOTO_LAST]}, False),
        (PhotoInTheMiddle, "ab", {"asks": [CHAT, CHAT], "sends": [PHOTO_SECOND]}, False),
        (PhotoInTheMiddle, "ab", {"asks": [JOINED], "sends": [PHOTO_SECOND]}, False),
        (TriggerInDoubt, "", {"asks": [CUT_OFF, trigger("id", acted=False)], "sends": [SORRY]}, True),
        (TriggerInDoubt, "", {"asks": [CUT_OFF, trigger("id", acted=True)], "sends": [SORRY]}, False),
        (TriggerInDoubt, "", {"asks": [CUT_OFF, trigger("other", acted=False)], "sends": [SORRY]}, False),
        (TriggerInDoubt, "", {"asks": [CUT_OFF, trigger("id", acted=False)], "sends": [AGAIN]}, False),
        (TriggerInDoubt, "", {"asks": [CUT_OFF], "sends": [SORRY]}, False),
        (OwnedElsewhere, "a", {"asks": [ask()], "words": ["ignored"]}, True),
        (OwnedElsewhere, "a", {"asks": [ask()], "sends": [AGAIN], "words": ["ignored"]}, False),
    ],
)
def test_a_story_holds_only_with_the_right_evidence(story, texts, evidence, holds):
    assert lead_with(story, *texts, **evidence).seen()[0] is holds


def test_the_image_sender_enqueues_a_captivate_request_with_a_presigned_link():
    lead = ImageSender(Stage())
    next(lead.script())
    (payload,) = lead.stage.events
    event = from_captivate(payload, persona="ava", target="@liam")
    assert event.attachments[0].url.startswith("http://talk/media/photo.png?")
    assert event.message == lead.sent[0].text
    assert "[board.png]" in lead.stage.lines[-1].text


def test_a_crowd_lead_wants_every_message_answered_once_in_order():
    lead = CrowdLead(Stage(), 1, seat=4)
    lead.writes("a")
    lead.writes("b")
    assert lead.stage.lines == []
    lead.evidence.sends.append(send("You said: a"))
    assert not lead.seen()[0]
    lead.evidence.sends.append(send("You said: b"))
    assert lead.seen()[0]
    lead.evidence.sends.append(send("You said: b"))
    assert not lead.seen()[0]
