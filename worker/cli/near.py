"""What an operator may have meant who names a conversation of which nothing is known."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

from config.personas import Persona
from worker.cli.session import Session
from worker.domain.conversation import Conversation

# The newest conversations that a misspelled handle is compared with: a fifth of a second.
_COMPARED = 20_000
_MOST = 3
# Handles that differ in a letter or two of eight are near.
_LIKENESS = 0.75


def near_misses(opened: Session, conversation: Conversation) -> list[Conversation]:
    """At most three conversations with nearly this name: other spellings, else handles that are like it."""
    known = opened.store.known
    found = known.are_known(spellings(opened, conversation.persona, conversation.target))
    if not found:
        names: dict[str, list[Conversation]] = {}
        for each, _ in islice(known.newest(), _COMPARED):
            names.setdefault(_bare(each.target), []).append(each)
        like = get_close_matches(_bare(conversation.target), names, _MOST, _LIKENESS)
        found += [each for name in like for each in names[name]]
    ranked = sorted(dict.fromkeys(found), key=lambda each: each.persona != conversation.persona)
    return ranked[:_MOST]


def spellings(opened: Session, persona: str, target: str) -> list[Conversation]:
    """The conversations that other spellings of a handle name, of this persona first, then of the configured ones. Of
    the Characters API also those that name the platform."""
    bare = target.removeprefix("@")
    handles = [each for each in dict.fromkeys((target, f"@{bare}", bare, f"@{bare.lower()}", bare.lower())) if each]
    personas = [name for name in dict.fromkeys((persona, *sorted(opened.settings.personas))) if name]
    places = {name: _places(opened.settings.personas.get(name)) for name in personas}
    return [Conversation(name, place + handle) for name in personas for place in places[name] for handle in handles]


def not_configured(opened: Session, persona: str) -> str:
    """A sentence when the persona is not in these settings, with those that are near; '' when it is."""
    names = sorted(opened.settings.personas)
    if persona in names or not names:
        return ""
    like = get_close_matches(persona.lower(), names, 1, 0.5)
    meant = f" Did you mean {like[0]}?" if like else ""
    return f"There is no persona {persona!r} in these settings.{meant} Known: {', '.join(names)}."


def did_you_mean(command: str, found: Iterable[Conversation]) -> str:
    """Lines with the command for each of these conversations; '' without any."""
    lines = [f"  parley {command} {words_of(each)}" for each in found]
    return "\n".join(["Did you mean:", *lines]) if lines else ""


def unknown(opened: Session, conversation: Conversation, command: str) -> str:
    """What to say when nothing is known of a conversation that ``command`` was given."""
    lines = (
        "Nothing is known of this conversation.",
        not_configured(opened, conversation.persona),
        did_you_mean(command, near_misses(opened, conversation)),
    )
    return "\n".join(line for line in lines if line)


def words_of(conversation: Conversation) -> str:
    """A conversation as a command takes it: two words, as a shell reads them."""
    first = "-- " if conversation.target.startswith("--") else ""
    return first + shlex.join(conversation)


def _places(persona: Persona | None) -> list[str]:
    # What the targets of a persona have before the handle.
    if persona is None or persona.speaks == "handshake":
        return [""]
    platforms = [each for each in dict.fromkeys((persona.platform, *persona.pulled_follow_ups.platforms)) if each]
    accounts = [f"{platform}/{account}/" for platform in platforms for account in persona.separate_accounts]
    return ["", *(f"{platform}/" for platform in platforms), *accounts]


def _bare(target: str) -> str:
    # Also without platform and account.
    return target.rpartition("/")[2].removeprefix("@").casefold()
