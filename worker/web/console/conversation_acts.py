"""What an operator does to one conversation: first a page that says what will happen, then the act."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

from starlette.responses import Response

from worker.cli.explain import Account, account_of
from worker.cli.times import both
from worker.domain.sentences import of_stored
from worker.store.operator.operator_messages import MOST_CHARACTERS, Said
from worker.store.operator.takeovers import Answer
from worker.web.console.conversation import about
from worker.web.console.rendering import count
from worker.web.console.visits import Refusal, Visit

_MOST_REASON = 200
_ANSWERS: dict[str, str] = {
    "joined": "Answer all that waits, joined as usual",
    "last": "Answer only the lead's newest message; drop the rest without an answer",
    "none": "Drop all that waits without an answer",
}
_SAID = {
    "not_yours": "It is not yours at the moment, so nothing was sent. Claim the conversation first.",
    "opted_out": "This lead has opted out, so nothing was sent. If the lead expects your answer, say so below.",
    "no_channel": "Nothing was sent: no event of this conversation brought a channel, so it is not known where to.",
    "empty": "There is nothing to say: the message is empty.",
    "long": f"Nothing was sent: the message has more than {MOST_CHARACTERS} characters. Send it in parts.",
    "unknown": "Nothing is known of this conversation any more.",
}


class Preview(NamedTuple):
    """A page before an act. ``says``: what will happen. ``reason``: whether it asks why. ``choices``: value and
    sentence of each; the one in ``chosen`` is chosen."""

    title: str
    says: list[str]
    button: str
    reason: bool = False
    danger: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    chosen: str = ""


class Act(NamedTuple):
    """``preview`` raises ``Refusal`` when there is nothing to do; ``run`` returns what was done, as a sentence."""

    preview: Callable[[Visit, Account], Preview]
    run: Callable[[Visit], str]


def preview(visit: Visit) -> Response:
    """The page before the act."""
    act, account = _act(visit), account_of(visit.opened, visit.conversation)
    if not account.now.known:
        raise Refusal(404, "Nothing is known of this conversation", account.sentence)
    return visit.page(
        "preview.html",
        place=visit.place_of(visit.conversation),
        action=visit.path,
        target=visit.conversation.target,
        persona=visit.conversation.persona,
        preview=act.preview(visit, account),
        crumbs=[("/conversations", "Conversations"), (visit.place_of(visit.conversation), visit.conversation.target)],
        back=visit.place_of(visit.conversation),
    )


def run(visit: Visit) -> Response:
    """The act itself."""
    return visit.go(visit.place_of(visit.conversation), _act(visit).run(visit))


def say(visit: Visit) -> Response:
    """Send a message in the persona's place. The same form again is the same message."""
    form = visit.form
    said = visit.acts.say(
        visit.conversation,
        form.get("text", "").replace("\r\n", "\n").strip(),
        anyway=form.get("anyway") == "yes",
        event_id=form.get("id", "")[:64],
    )
    if said.status in ("accepted", "duplicate"):
        told = "It is on its way, before all that waits. The timeline says when it is delivered."
        return visit.go(visit.place_of(visit.conversation), told)
    return visit.page(
        "conversation.html",
        status=422,
        said=None,
        waiting=None,
        **about(visit)
        | {"draft": form.get("text", ""), "fault": _fault(said), "may_anyway": said.status == "opted_out"},
    )


def _fault(said: Said) -> str:
    if said.status == "not_yours" and said.holder.startswith("claimed by "):
        return f"Nothing was sent: another operator has this conversation ({said.holder})."
    return _SAID.get(said.status, "Nothing was sent: too much waits in this conversation already.")


def _act(visit: Visit) -> Act:
    act = _ACTS.get(visit.names["act"])
    if act is None:
        raise Refusal(404, "No such page", "Nothing is at this address.")
    return act


def _reason(visit: Visit) -> str:
    return " ".join(visit.form.get("reason", "").split())[:_MOST_REASON]


def _claim_preview(_: Visit, account: Account) -> Preview:
    persona, waits = account.now.conversation.persona, account.now.waiting
    says = [
        f"{persona} is silent in this conversation until you hand it back.",
        f"{count(waits, 'event')} wait{'s' if waits == 1 else ''}; this and what the lead writes next keeps its order.",
        "A delivery that has begun still arrives. Then only you speak.",
    ]
    if account.now.taken_over:
        says.insert(0, f"A person has it already ({account.now.taken_over}). One that was escalated becomes yours.")
    return Preview("Claim this conversation?", says, "Claim it", reason=True)


def _claim(visit: Visit) -> str:
    claimed = visit.acts.claim(visit.conversation, _reason(visit))
    if claimed.status == "already":
        return f"Nothing was changed: it is {claimed.reason} already."
    if claimed.status == "unknown":
        return "Nothing was changed: nothing is known of this conversation any more."
    late = " A delivery that began before is still under way." if claimed.delivering else ""
    return f"It is yours: {visit.conversation.persona} is silent until you hand it back.{late}"


def _hand_back_preview(visit: Visit, account: Account) -> Preview:
    if not account.now.taken_over:
        raise Refusal(409, "There is nothing to hand back", "No person has taken this conversation over.")
    persona, waits = account.now.conversation.persona, account.now.waiting
    says = [f"{persona} speaks again at once. {count(waits, 'event')} wait{'s' if waits == 1 else ''} now."]
    chosen = visit.store.takeovers.policy(persona).on_hand_back
    return Preview("Hand this conversation back?", says, "Hand it back", choices=tuple(_ANSWERS.items()), chosen=chosen)


def _hand_back(visit: Visit) -> str:
    answer = visit.form.get("choice", "")
    if answer not in _ANSWERS:
        raise Refusal(400, "Nothing was changed", "Choose what becomes of the events that wait.")
    done = visit.acts.hand_back(visit.conversation, cast(Answer, answer))
    if done.status != "handed_back":
        return "Nothing was changed: no person has this conversation any more."
    dropped = f", {done.dropped} dropped" if done.dropped else ""
    return f"Handed back to {visit.conversation.persona}: {count(done.left, 'event')} left to answer{dropped}."


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
    done = visit.acts.seal(visit.conversation, _reason(visit))
    return "Sealed." if done == "done" else "Nothing was changed: it is sealed already."


def _unseal_preview(_: Visit, account: Account) -> Preview:
    if not account.now.sealed_at:
        raise Refusal(409, "It is not sealed", account.sentence)
    says = ["What comes from now on is asked again."]
    if not account.now.sealed_by:
        says.append("The persona itself ended this conversation, and its next answer will seal it again.")
    return Preview("Unseal this conversation?", says, "Unseal it", reason=True)


def _unseal(visit: Visit) -> str:
    done = visit.acts.unseal(visit.conversation, _reason(visit))
    return "Unsealed." if done == "done" else "Nothing was changed: it is not sealed any more."


def _cancel_preview(_: Visit, account: Account) -> Preview:
    touch = account.touch
    if not touch.due:
        raise Refusal(409, "There is nothing to cancel", "No follow-up is planned for this lead.")
    says = [
        f"It is planned for {both(touch.due, account.now.now)}: {of_stored(touch.rule)}.",
        "The cadence starts again with the next reply that reaches the lead.",
    ]
    return Preview("Cancel the next follow-up?", says, "Cancel it")


def _cancel(visit: Visit) -> str:
    done = visit.acts.cancel_follow_up(visit.conversation)
    return "The follow-up is cancelled." if done else "Nothing was changed: no follow-up is planned any more."


_ACTS = {
    "claim": Act(_claim_preview, _claim),
    "hand-back": Act(_hand_back_preview, _hand_back),
    "seal": Act(_seal_preview, _seal),
    "unseal": Act(_unseal_preview, _unseal),
    "cancel-follow-up": Act(_cancel_preview, _cancel),
}
