"""Sentences that name a command, said again for who has buttons: where a page does it, the page is named."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from worker.cli.explain import Account
from worker.domain.conversation import Conversation
from worker.store.conversations.consents import ALL_PERSONAS

_OPEN_GATES = "the button “Open gates” on the page Personas"
_DEAD_LETTERS = "replay or discard them on the page Dead letters"
# What has no page here, such as ``parley check``, stays a command. The longer ones first.
_WORDS = (
    (r"parley resume \S+( --gate \w+)?", _OPEN_GATES),
    (r"parley dead causes, then parley dead replay-all or parley dead discard", _DEAD_LETTERS),
    (r"parley dead list", "the page Dead letters"),
    (r"parley dead show --show-content", "the content of the letter"),
    (r"parley status", "the page Overview"),
    (r"parley outreach [^\s.;]+", "the page Personas"),
    (r"parley forget PERSONA TARGET", "the button “Forget” on the page of each"),
    (r"parley explain PERSONA TARGET of one of them", "open one of them on the page Conversations"),
    (r"or: parley dead discard", "or choose “Discard it”"),
    (r"parley dead discard", "“Discard it”"),
    (r"[Uu]se --mode place", "choose “In its own place”"),
    (r"--mode append( \(answer it now, late\))?", "“At the end”"),
    (r"--mode join( \(with the next messages\))?", "“With the next messages”"),
    (r"parley dead replay, same arguments", "parley dead replay EVENT_ID PERSONA TARGET"),
)
_COMMANDS = tuple((re.compile(pattern), word) for pattern, word in _WORDS)


def on_page(sentence: str) -> str:
    """The sentence with pages and buttons in the place of the commands that they stand for."""
    for command, word in _COMMANDS:
        sentence = command.sub(word, sentence)
    return sentence


def of_conversation(account: Account) -> Account:
    """What is told of a conversation, with the buttons of its page."""
    sentence, follow_up, consent = (
        _said(account, each) for each in (account.sentence, account.follow_up, account.consent)
    )
    return replace(account, sentence=sentence, follow_up=follow_up, consent=consent)


def _said(account: Account, sentence: str) -> str:
    for command, button in _of(account.now.conversation):
        sentence = sentence.replace(command, f"the button “{button}”")
    return on_page(sentence)


def _of(conversation: Conversation) -> list[tuple[str, str]]:
    persona, target = conversation
    opt_ins = [f"parley consent set {shlex.quote(whose)} {shlex.quote(target)} in" for whose in (persona, ALL_PERSONAS)]
    return [
        (f"parley hand-back {persona} {target}", "Hand back"),
        (f"parley unseal {persona} {target}", "Unseal"),
        *((command, "Opt in") for command in opt_ins),
    ]
