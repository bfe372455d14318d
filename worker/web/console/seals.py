"""A conversation is ended by a person, and begun again."""

from __future__ import annotations

from worker.cli.explain import Account
from worker.web.console.previews import Act, Preview, reason_in
from worker.web.console.rendering import count
from worker.web.console.visits import Refusal, Visit


def _seal_preview(_: Visit, account: Account) -> Preview:
    if account.now.sealed_at:
        raise Refusal(409, "It is sealed already", account.sentence)
    waits, one = account.now.waiting, account.now.waiting == 1
    says = [
        f"{count(waits, 'event')} wait{'s' * one} and end{'s' * one} without an answer.",
        "Later events end so, too, and no follow-up goes out. An answer that is stored already is still delivered.",
        "It can be unsealed; what has ended stays so.",
    ]
    return Preview("Seal this conversation?", says, "Seal it", reason=True, danger=True)


def _seal(visit: Visit) -> str:
    done = visit.acts.seal(visit.conversation, reason_in(visit))
    return "Sealed." if done == "done" else "Nothing was changed: it is sealed already."


def _unseal_preview(_: Visit, account: Account) -> Preview:
    if not account.now.sealed_at:
        raise Refusal(409, "It is not sealed", account.sentence)
    says = ["What comes from now on is asked again."]
    if not account.now.sealed_by:
        says.append("The persona itself ended this conversation, and its next answer will seal it again.")
    return Preview("Unseal this conversation?", says, "Unseal it", reason=True)


def _unseal(visit: Visit) -> str:
    done = visit.acts.unseal(visit.conversation, reason_in(visit))
    return "Unsealed." if done == "done" else "Nothing was changed: it is not sealed any more."


SEAL = Act(_seal_preview, _seal)
UNSEAL = Act(_unseal_preview, _unseal)
