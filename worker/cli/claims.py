"""``parley claim``, ``parley hand-back`` and ``parley claims``: a person speaks instead of the persona."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Annotated

import typer

from worker.cli import screen
from worker.cli.arguments import AsJson, ByOption, PersonaOption, ReasonOption, TargetArgument
from worker.cli.ending import No
from worker.cli.near import unknown
from worker.cli.session import Session, conversation_of, session
from worker.domain.conversation import Conversation
from worker.domain.operator_words import as_shown
from worker.store.operator.takeovers import Answer
from worker.store.views.situation import situation

PersonaArgument = Annotated[str, typer.Argument(metavar="PERSONA", help="The persona that is to be silent.")]

_POLL_SECONDS = 0.1


class AnswerName(StrEnum):
    """What becomes of the events that waited for the hand-back."""

    JOINED = "joined"
    LAST = "last"
    NONE = "none"


_ANSWERS: dict[AnswerName, Answer] = {AnswerName.JOINED: "joined", AnswerName.LAST: "last", AnswerName.NONE: "none"}

AnswerOption = Annotated[
    AnswerName | None,
    typer.Option(
        help="Of what waits: joined = all goes on, last = only the lead's newest message, none = all is dropped. "
        "Default: the persona's policy."
    ),
]


def claim(persona: PersonaArgument, target: TargetArgument, reason: ReasonOption = "", by: ByOption = None) -> None:
    """Take a conversation over: the persona is silent in it until hand-back, its events wait in order.

    Returns when nothing more goes out: a delivery that has begun is waited for.

    Example: parley claim ava @john_doe --reason "asks for a refund"
    """
    conversation = conversation_of(persona, target)
    with session() as opened:
        claimed = opened.acts(by).claim(conversation, reason)
        if claimed.status == "unknown":
            raise No(unknown(opened, conversation, "claim"))
        if claimed.status == "already":
            raise No(f"Already {as_shown(claimed.reason)}, since {screen.moment(claimed.since)} UTC.")
        if claimed.delivering:
            screen.say("A delivery that began before is under way; waiting for its end ...")
            _wait_for_delivery(opened, conversation)
    screen.say(
        f"It is yours: {persona} is silent in the conversation with {target}, what comes in waits in order. "
        f"When you are done: parley hand-back {persona} {target}"
    )


def hand_back(
    persona: PersonaArgument,
    target: TargetArgument,
    answer: AnswerOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Let the persona go on. Asks first when events that wait are to be dropped.

    Example: parley hand-back ava @john_doe --answer last
    """
    conversation = conversation_of(persona, target)
    with session() as opened:
        takeovers = opened.store.takeovers
        chosen: Answer = _ANSWERS[answer] if answer else takeovers.policy(persona).on_hand_back
        now = situation(opened.store.redis, opened.store.keys, conversation, opened.settings.captivate.name)
        if chosen != "joined" and now.taken_over and now.waiting and not yes:
            but = ", but for the lead's newest message" if chosen == "last" else ""
            screen.say(f"{now.waiting} events wait. They are dropped without an answer{but}.")
            if not typer.confirm("Hand back?"):
                raise No("Nothing was changed.")
        done = opened.acts().hand_back(conversation, chosen)
        if done.status == "unknown":
            raise No(unknown(opened, conversation, "hand-back"))
    if done.status == "not_taken_over":
        raise No("No person has taken this conversation over, so there is nothing to hand back.")
    dropped = f"; dropped: {done.dropped}" if done.dropped else ""
    screen.say(f"Handed back to {persona}. Events that wait and continue: {done.left}{dropped}.")


def claims(persona: PersonaOption = None, json: AsJson = False) -> None:
    """List the conversations that a person has, whether by claim, by escalation or by the channel; longest first."""
    with session(reads=True) as opened:
        found = opened.store.takeovers.all(persona)
    if json:
        screen.as_json(
            [
                {
                    "persona": each.conversation.persona,
                    "target": each.conversation.target,
                    "since": each.since,
                    "reason": each.reason,
                    "waiting": each.waiting,
                }
                for each in found
            ]
        )
    elif found:
        screen.table(
            ["since (UTC)", "persona", "target", "reason", "waiting"],
            [[screen.moment(each.since), *each.conversation, as_shown(each.reason), each.waiting] for each in found],
        )
    else:
        screen.say("No conversation is taken over.")


def _wait_for_delivery(opened: Session, conversation: Conversation) -> None:
    limit_seconds = opened.settings.captivate.total_seconds + opened.settings.lease.ttl_seconds
    until = time.monotonic() + limit_seconds
    while opened.store.takeovers.is_delivering(conversation):
        if time.monotonic() > until:
            raise No(f"It is yours, but a delivery has not ended within {limit_seconds:.0f} s: see parley explain.")
        time.sleep(_POLL_SECONDS)
