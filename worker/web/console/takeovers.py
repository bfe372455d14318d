"""A person answers a lead in the persona's place: claim, say, hand back."""

from __future__ import annotations

from typing import cast

from starlette.responses import Response

from worker.cli.explain import Account
from worker.domain.operator_words import as_shown
from worker.store.operator.operator_messages import MOST_CHARACTERS, Said
from worker.store.operator.takeovers import Answer
from worker.web.console.conversation import about
from worker.web.console.previews import Act, Preview, reason_in
from worker.web.console.rendering import count
from worker.web.console.visits import Refusal, Visit

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


def say(visit: Visit) -> Response:
    """Send a message in the persona's place. The same form again is the same message."""
    form = visit.form
    said = visit.acts.say(
        visit.conversation,
        form.get("text", "").replace("\r\n", "\n").strip(),
        anyway=form.get("anyway") == "yes",
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
        return f"Nothing was sent: another operator has this conversation ({as_shown(said.holder)})."
    return _SAID.get(said.status, "Nothing was sent: too much waits in this conversation already.")


def _claim_preview(_: Visit, account: Account) -> Preview:
    persona, waits = account.now.conversation.persona, account.now.waiting
    says = [
        f"{persona} is silent in this conversation until you hand it back.",
        f"{count(waits, 'event')} wait{'s' if waits == 1 else ''}; this and what the lead writes next keeps its order.",
        "A delivery that has begun still arrives. Then only you speak.",
    ]
    if account.now.taken_over:
        says.insert(
            0, f"A person has it already ({as_shown(account.now.taken_over)}). One that was escalated becomes yours."
        )
    return Preview("Claim this conversation?", says, "Claim it", reason=True)


def _claim(visit: Visit) -> str:
    claimed = visit.acts.claim(visit.conversation, reason_in(visit))
    if claimed.status == "already":
        return f"Nothing was changed: it is {as_shown(claimed.reason)} already."
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
    return Preview(
        "Hand this conversation back?",
        says,
        "Hand it back",
        choices=tuple(_ANSWERS.items()),
        chosen=chosen,
        legend="What becomes of what waits",
    )


def _hand_back(visit: Visit) -> str:
    answer = visit.form.get("choice", "")
    if answer not in _ANSWERS:
        raise Refusal(400, "Nothing was changed", "Choose what becomes of the events that wait.")
    done = visit.acts.hand_back(visit.conversation, cast(Answer, answer))
    if done.status != "handed_back":
        return "Nothing was changed: no person has this conversation any more."
    dropped = f", {done.dropped} dropped" if done.dropped else ""
    return f"Handed back to {visit.conversation.persona}: {count(done.left, 'event')} left to answer{dropped}."


CLAIM = Act(_claim_preview, _claim)
HAND_BACK = Act(_hand_back_preview, _hand_back)
