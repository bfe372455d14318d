"""``parley explain``: why there is no answer, what will end that, and what happened so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from worker.cli import screen
from worker.cli.arguments import AsJson, PersonaArgument, TargetArgument
from worker.cli.consent_told import consent_told, marks_of
from worker.cli.ending import No
from worker.cli.explanation import Around, next_follow_up
from worker.cli.explanation import explain as sentence_for
from worker.cli.near import did_you_mean, near_misses, not_configured
from worker.cli.session import Session, conversation_of, session
from worker.cli.times import relative
from worker.domain.cadence import TouchState
from worker.domain.conversation import Conversation
from worker.domain.handles import Handles
from worker.domain.moments import as_datetime
from worker.domain.operator_words import as_shown
from worker.domain.sentences import of_stored
from worker.domain.vocabulary import FATES
from worker.store import Store
from worker.store.conversations.consents import Mark
from worker.store.views.situation import Situation, situation
from worker.store.views.timeline import Moment

# What each number or text behind a word of the timeline means, in the order in which the scripts write them.
_DETAILS: dict[str, tuple[str, ...]] = {
    "accepted": ("", "event"),
    "left out": ("", "event"),
    "said by": ("", "event"),
    "asking": ("attempt", "fence", "events"),
    "second ask": ("attempt", "fence", "events"),
    "sending": ("attempt", "fence", "bubble"),
    "resent": ("attempt", "fence", "bubble"),
    "held": ("", "until", "outcome"),
    "answered": ("", "events"),
    "ignored": ("", "events"),
    "sealed": ("", "events"),
    "skipped": ("", "events"),
    "dead": ("", "events"),
    "replayed": ("", "event"),
    "discarded": ("event",),
    "readmitted": ("event", "accepted as"),
    "taken over": ("",),
    "handed back": ("answer",),
    "opted out": ("by",),
    "opted in": ("by",),
    "consent removed": ("by",),
    "sealed by": ("",),
    "unsealed by": ("",),
    "content shown": ("event", "to"),
    "conversation read": ("by",),
    "follow-up planned": ("for", ""),
    "follow-up moved": ("to", ""),
    "follow-up dropped": ("",),
    "follow-up missed": ("",),
}
# Where the details behind these words say a reason.
_REASONS = dict.fromkeys(("held", "refused", "follow-up dropped", "follow-up missed", *FATES), 0) | {
    "follow-up planned": 1,
    "follow-up moved": 1,
}
# Behind these words stands who did it and why, in an operator's own words.
_NOTES = ("taken over", "sealed by", "unsealed by", "opted out", "opted in", "consent removed", "conversation read")
# Of these details the value is a moment, in milliseconds.
_MOMENTS = {("held", "until"), ("follow-up planned", "for"), ("follow-up moved", "to")}


@dataclass(frozen=True, slots=True)
class Account:
    """What is told of one conversation. ``moments``: its timeline, oldest first. ``sentence``: why there is no answer.
    ``follow_up``, ``consent``: a sentence, '' = nothing to say. ``marks``: what the lead has consented to."""

    now: Situation
    moments: Sequence[Moment]
    touch: TouchState
    sentence: str
    follow_up: str
    consent: str
    marks: Sequence[Mark]

    @property
    def opted_out(self) -> bool:
        """Whether the lead has, of this persona or of all."""
        return any(mark.state == "out" for mark in self.marks)


def explain(persona: PersonaArgument, target: TargetArgument, json: AsJson = False) -> None:
    """Say in one sentence why a lead has no answer and what will end that; then the timeline, without content.

    Exit status 1 when nothing is known of the conversation; then those with nearly this name are named.

    Example: parley explain ava @john_doe
    """
    conversation = conversation_of(persona, target)
    with session(reads=True) as opened:
        handles = Handles(opened.settings.privacy)
        told = account_of(opened, conversation)
        near = [] if told.now.known else near_misses(opened, conversation)
        stranger = "" if told.now.known else not_configured(opened, persona)
    now, moments = told.now, told.moments
    if json:
        timeline = [{"at": moment.at, "word": moment.word, "details": moment.details} for moment in moments]
        touch = told.touch
        screen.as_json(
            {
                "persona": persona,
                "target": target,
                "shown_as": handles.shown(conversation.name),
                "sentence": told.sentence,
                "waiting": now.waiting,
                "next_follow_up": {"at_ms": touch.due, "rule": of_stored(touch.rule)} if touch.due else None,
                "consent": told.consent,
                "timeline": timeline,
                "did_you_mean": [each._asdict() for each in near],
            }
        )
    if not now.known:
        lines = (told.sentence, told.consent if told.marks else "", stranger, did_you_mean("explain", near))
        raise No("\n".join(line for line in lines if line))
    if json:
        return
    screen.show(screen.lines([line for line in (told.sentence, told.follow_up, told.consent) if line]))
    if handles.hashed:
        screen.say(f"In Flower and logs this lead is {handles.hash_of(target)}.")
    if moments:
        screen.say("")
        screen.table(
            ["at (UTC)", "when", "what", "details"],
            [[screen.moment(each.at), _age(each, now.now), each.word, details_of(each)] for each in moments],
        )


def account_of(opened: Session, conversation: Conversation) -> Account:
    """Read all that is told of a conversation. May raise ``redis.RedisError``."""
    store, settings, persona = opened.store, opened.settings, conversation.persona
    moments = store.timeline.of(conversation)
    now = situation(store.redis, store.keys, conversation, opened.channel)
    touch = store.follow_ups.state_of(conversation)
    marks = marks_of(opened, conversation)
    rules = settings.consent_of(persona) if persona in settings.personas else settings.consent
    return Account(
        now,
        moments,
        touch,
        sentence_for(now, moments, settings, _around(store, now)),
        next_follow_up(now, touch, settings),
        consent_told(marks, rules),
        marks,
    )


def _around(store: Store, now: Situation) -> Around:
    if now.waiting:
        return Around(store.processes.alive(), store.refusal())
    # Only then somebody looks for an event that did not arrive.
    return Around() if now.known else Around(unread=store.queues.look().unread)


def _age(moment: Moment, now: int) -> str:
    return relative(int(moment.at.timestamp() * 1000), now)


def details_of(moment: Moment) -> str:
    """What a timeline says behind the word, each number with its name."""
    names: Sequence[str] = _DETAILS.get(moment.word, ())
    parts = []
    for index, value in enumerate(moment.details):
        name = names[index] if index < len(names) else ""
        if value != "":
            is_reason = _REASONS.get(moment.word) == index
            shown = of_stored(str(value)) if is_reason else _value((moment.word, name), value)
            shown = as_shown(shown) if moment.word in _NOTES else shown
            parts.append(f"{name} {shown}".strip())
    return ", ".join(parts)


def _value(detail: tuple[str, str], value: Any) -> str:
    is_moment = detail in _MOMENTS and isinstance(value, int | float)
    return screen.moment(as_datetime(value)) if is_moment else str(value)
