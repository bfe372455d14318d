"""What an operator does to one conversation: first a page that says what will happen, then the act."""

from __future__ import annotations

from starlette.responses import Response

from worker.cli.explain import account_of
from worker.web.console import follow_up_acts, lead_wishes, seals, takeovers
from worker.web.console.buttons import of_conversation
from worker.web.console.previews import Act
from worker.web.console.visits import Refusal, Visit

_ACTS = {
    "claim": takeovers.CLAIM,
    "hand-back": takeovers.HAND_BACK,
    "seal": seals.SEAL,
    "unseal": seals.UNSEAL,
    "move-follow-up": follow_up_acts.MOVE,
    "cancel-follow-up": follow_up_acts.CANCEL,
    "opt-out": lead_wishes.OPT_OUT,
    "opt-in": lead_wishes.OPT_IN,
    "forget": lead_wishes.FORGET,
}


def preview(visit: Visit) -> Response:
    """The page before the act."""
    act, account = _act(visit), of_conversation(account_of(visit.opened, visit.conversation))
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
    act = _act(visit)
    return visit.go(act.then or visit.place_of(visit.conversation), act.run(visit))


def _act(visit: Visit) -> Act:
    act = _ACTS.get(visit.names["act"])
    if act is None:
        raise Refusal(404, "No such page", "Nothing is at this address.")
    return act
