"""``parley seal``, ``parley unseal`` and ``parley seals``: conversations that get no further answer."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli import screen
from worker.cli.arguments import AsJson, ByOption, PersonaArgument, PersonaOption, ReasonOption, TargetArgument
from worker.cli.ending import No
from worker.cli.near import unknown
from worker.cli.session import conversation_of, session
from worker.domain.operator_words import as_shown
from worker.store.views.situation import situation


def seal(
    persona: PersonaArgument,
    target: TargetArgument,
    reason: ReasonOption = "",
    by: ByOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """End a conversation: what waits and what comes ends as sealed, without a call and without follow-ups.

    Example: parley seal ava @john_doe --reason "asked us to stop"
    """
    conversation = conversation_of(persona, target)
    with session() as opened:
        now = situation(opened.store.redis, opened.store.keys, conversation, opened.settings.captivate.name)
        if now.known and not now.sealed_at and not yes:
            screen.say(f"Events that wait and end without an answer: {now.waiting}. Later ones end so, too.")
            if not typer.confirm("Seal?"):
                raise No("Nothing was changed.")
        done = opened.acts(by).seal(conversation, reason)
        if done == "unknown":
            raise No(unknown(opened, conversation, "seal"))
    if done == "nothing":
        raise No("It is sealed already.")
    screen.say(f"Sealed. To open it again: parley unseal {persona} {target}")


def unseal(persona: PersonaArgument, target: TargetArgument, reason: ReasonOption = "", by: ByOption = None) -> None:
    """Take a seal away: later events are asked again. When the persona itself ended the conversation, it will again."""
    conversation = conversation_of(persona, target)
    with session() as opened:
        done = opened.acts(by).unseal(conversation, reason)
        if done == "unknown":
            raise No(unknown(opened, conversation, "unseal"))
    if done == "nothing":
        raise No("It is not sealed.")
    screen.say("Unsealed. What comes from now on is asked again.")


def seals(persona: PersonaOption = None, json: AsJson = False) -> None:
    """List sealed conversations, the oldest seal first."""
    with session(reads=True) as opened:
        found = opened.store.seals.all(persona)
    if json:
        screen.as_json(
            [
                {
                    "persona": each.conversation.persona,
                    "target": each.conversation.target,
                    "since": each.since,
                    "by": each.by,
                }
                for each in found
            ]
        )
    elif found:
        screen.table(
            ["since (UTC)", "persona", "target", "by"],
            [[screen.moment(each.since), *each.conversation, as_shown(each.by) or "the persona"] for each in found],
        )
    else:
        screen.say("No conversation is sealed.")
