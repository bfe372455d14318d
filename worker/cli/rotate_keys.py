"""``parley rotate-keys``: encrypt what is stored with another key, or for the first time."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from worker.cli import screen
from worker.cli.arguments import AsJson
from worker.cli.ending import No
from worker.cli.session import session
from worker.store.operator.audit import Act
from worker.store.operator.key_rotation import Tally

_PROGRESS_SECONDS = 2.0


def rotate_keys(
    json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on standard error.")] = False,
) -> None:
    """Encrypt all stored content with the first of PARLEY_ENCRYPTION__KEYS, beside running workers.

    docs/encryption.md says when. Run it again if it was cut short: it goes on. Before a key is taken away, one run
    has to find nothing to do. Exit status 1 when something could not be decrypted.

    Example: parley rotate-keys
    """
    tally = Tally()
    told_at = time.monotonic()
    with session() as opened:
        rotation, writes_with = opened.store.rotation, opened.store.content.writes_with
        keys = rotation.keys_in_all()
        for tally in rotation.run():
            if not quiet and time.monotonic() - told_at >= _PROGRESS_SECONDS:
                told_at = time.monotonic()
                screen.complain(
                    f"{tally.looked_at} conversations and events looked at, {tally.changed} texts changed "
                    f"(the store has {keys} keys of all kinds)"
                )
        opened.acts().did(Act.KEYS_ROTATED, detail=f"changed: {tally.changed}")
    if json:
        screen.as_json({**vars(tally), "writes_with": writes_with})
    else:
        _print(tally, writes_with)
    if tally.undecryptable:
        raise No(
            f"{sum(tally.undecryptable.values())} stored texts stay as they are, and their events wait: give the key "
            "that is missing, as the last one, and run it again."
        )


def _print(tally: Tally, writes_with: str) -> None:
    how = f"is encrypted with key {writes_with}" if writes_with else "is not encrypted"
    found = sum(tally.by_key.values())
    screen.say(f"What is stored from now on {how}.")
    screen.say(f"{tally.looked_at} conversations and events looked at: {found} texts, {tally.changed} changed.")
    for key, count in tally.by_key.most_common():
        screen.say(f"  {count} {_was(key, writes_with)}")
    for reason, count in tally.undecryptable.most_common():
        screen.say(f"  {count}: {reason}")


def _was(key: str, writes_with: str) -> str:
    if key == writes_with:
        return "were so already"
    return f"were encrypted with key {key}" if key else "were not encrypted"
