"""The next follow-up of one lead: another time for it, or none."""

from __future__ import annotations

from worker.cli.explain import Account
from worker.cli.times import both, moment_of
from worker.domain.cadence import MOST_AHEAD_MS
from worker.domain.moments import as_datetime
from worker.domain.sentences import of_stored
from worker.store.encryption import Undecryptable
from worker.web.console.previews import Act, Moment, Preview
from worker.web.console.visits import Refusal, Visit

_MINUTE_MS = 60_000


def _planned(account: Account) -> str:
    return f"It is planned for {both(account.touch.due, account.now.now)}: {of_stored(account.touch.rule)}."


def _move_preview(_: Visit, account: Account) -> Preview:
    due, now = account.touch.due, account.now.now
    if not due:
        raise Refusal(409, "There is nothing to move", "No follow-up is planned for this lead.")
    says = [
        _planned(account),
        "Quiet hours and caps still count at the new time. A message of the lead before then still ends it.",
        "The one after it comes by the cadence, counted from its delivery.",
    ]
    moment = Moment("New time (UTC)", _field(max(due, now + _MINUTE_MS)), _field(now + _MINUTE_MS))
    return Preview("Move the next follow-up?", says, "Move it", moment=moment)


def _move(visit: Visit) -> str:
    try:
        wanted = moment_of(visit.form.get("at", ""))
    except ValueError:
        raise Refusal(400, "Nothing was changed", "Choose the day and the time of the follow-up.") from None
    now, at = visit.store.follow_ups.now(), int(wanted.timestamp() * 1000)
    if at <= now and not visit.acts.is_repeated("move", visit.conversation):
        raise Refusal(400, "Nothing was changed", f"Choose a time that is still to come: it is {both(now, now)}.")
    if at > now + MOST_AHEAD_MS:
        raise Refusal(400, "Nothing was changed", "Choose a time that is at most ten years from now.")
    try:
        moved = visit.acts.move_follow_up(visit.conversation, wanted)
    except Undecryptable as error:
        raise Refusal(409, "Nothing was changed", f"Its {error}. Start the console with the keys of workers.") from None
    if not moved:
        return "Nothing was changed: no follow-up is planned any more, or it has just changed."
    return f"The follow-up is moved to {both(at, now)}."


def _cancel_preview(_: Visit, account: Account) -> Preview:
    if not account.touch.due:
        raise Refusal(409, "There is nothing to cancel", "No follow-up is planned for this lead.")
    says = [_planned(account), "The cadence starts again with the next reply that reaches the lead."]
    return Preview("Cancel the next follow-up?", says, "Cancel it")


def _cancel(visit: Visit) -> str:
    done = visit.acts.cancel_follow_up(visit.conversation)
    return "The follow-up is cancelled." if done else "Nothing was changed: no follow-up is planned any more."


def _field(at_ms: int) -> str:
    return f"{as_datetime(at_ms):%Y-%m-%dT%H:%M}"


MOVE = Act(_move_preview, _move)
CANCEL = Act(_cancel_preview, _cancel)
