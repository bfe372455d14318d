"""What a lead can ask for: no messages any more, or that nothing is kept."""

from __future__ import annotations

from worker.cli.explain import Account
from worker.cli.forget import KEPT
from worker.web.console.previews import Act, Preview, reason_in
from worker.web.console.rendering import count
from worker.web.console.visits import Refusal, Visit

_KEEP, _CONSENT_TOO = "keep", "consent-too"
_AGAIN = "Choose whether it stays known that this lead has opted out."


def _opt_out_preview(visit: Visit, account: Account) -> Preview:
    if account.opted_out:
        raise Refusal(409, "The lead has opted out already", account.consent)
    persona = account.now.conversation.persona
    rules = visit.settings.consent_of(persona) if persona in visit.settings.personas else visit.settings.consent
    whom = f"{persona} and all personas that share what leads say" if rules.scope == "lead" else persona
    later = "silence" if rules.later_messages == "silence" else "an answer"
    says = [
        f"No openers, event triggers and follow-ups of {whom} go to this lead any more.",
        "Those that wait end without an answer, and the planned follow-up is dropped.",
        f"A later message of the lead gets {later}.",
        "It can be undone here; or the lead writes START.",
    ]
    return Preview("Opt this lead out?", says, "Opt out", reason=True, danger=True)


def _opt_out(visit: Visit) -> str:
    done = visit.acts.write_consent(visit.conversation, "out", reason_in(visit))
    return "The lead is opted out." if done else "Nothing was changed: the lead has opted out already."


def _opt_in_preview(_: Visit, account: Account) -> Preview:
    if not account.opted_out:
        raise Refusal(409, "The lead has not opted out", "Openers, event triggers and follow-ups may go to it.")
    says = [
        "Openers, event triggers and follow-ups may go to this lead again.",
        "Do this only when the lead has asked for it.",
    ]
    return Preview("Opt this lead in again?", says, "Opt in", reason=True)


def _opt_in(visit: Visit) -> str:
    done = visit.acts.write_consent(visit.conversation, "in", reason_in(visit))
    return "The lead is opted in." if done else "Nothing was changed: the lead has opted in already."


def _forget_preview(visit: Visit, account: Account) -> Preview:
    now, one = account.now, account.now.waiting == 1
    _need_no_turn(account)
    ends = [
        word
        for word, holds in (
            ("the takeover", now.taken_over),
            ("the seal", now.sealed_at),
            ("the planned follow-up", account.touch.due),
        )
        if holds
    ]
    says = [
        f"All that is stored of this lead with {now.conversation.persona} is erased for good: events and answers with "
        "their texts, dead letters, the timeline, and what is kept of what was said.",
        f"{count(now.waiting, 'event')} wait{'s' * one} and end{'s' * one} without an answer.",
        *([f"With it {'goes' if len(ends) == 1 else 'go'} {', '.join(ends)}."] if ends else []),
        "A lead who writes again starts a new conversation. An old event that is sent again is not recognised.",
        KEPT,
        "It looks through all keys of the store, in parts between which others are served. With millions of keys that "
        "takes some seconds.",
    ]
    choices = _choices(visit.store.forgetting.keeps_consent) if account.opted_out else ()
    return Preview(
        "Forget this lead?",
        says,
        "Erase it for good",
        danger=True,
        choices=choices,
        legend="This lead has opted out",
    )


def _choices(keeps: bool) -> tuple[tuple[str, str], ...]:
    kept = (_KEEP, "Keep that, as a keyed hash of the name: the lead gets no messages also later")
    also = (_CONSENT_TOO, "Forget that, too, for all personas: the lead may get messages again")
    return (kept, also) if keeps else (also,)


def _forget(visit: Visit) -> str:
    conversation, forgetting = visit.conversation, visit.store.forgetting
    traces = forgetting.traces(conversation)
    if traces.nothing and not visit.acts.is_repeated("forget", conversation):
        return "Nothing was changed: nothing is stored of this lead any more."
    also = visit.form.get("choice") == _CONSENT_TOO
    keeps = forgetting.keeps_consent and visit.form.get("choice") == _KEEP
    if traces.consent == "out" and not (also or keeps):
        raise Refusal(400, "Nothing was changed", _AGAIN)
    done = visit.acts.forget(conversation, traces, also_consent=also)
    if done.status == "busy":
        raise Refusal(409, *_A_TURN_RUNS)
    new = visit.store.known.are_known([conversation])
    more = " Something new has come in meanwhile: forget the lead again, if that is to go, too." if new else ""
    return f"Erased: {count(done.events, 'event')}; of these waited and ended as skipped: {done.skipped}.{more}"


_A_TURN_RUNS = (
    "A turn is under way, so nothing was changed",
    "Try again in a moment. If turns go on without end, claim the conversation first.",
)


def _need_no_turn(account: Account) -> None:
    now = account.now
    if now.leased and now.lease_until > now.now:
        raise Refusal(409, *_A_TURN_RUNS)


OPT_OUT = Act(_opt_out_preview, _opt_out)
OPT_IN = Act(_opt_in_preview, _opt_in)
FORGET = Act(_forget_preview, _forget, then="/conversations")
