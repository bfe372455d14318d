"""The sentences that commands and Flower show for causes.

No decision depends on them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from worker.domain.reasons import Reason, read
from worker.domain.vocabulary import Cause

_Figures = Mapping[str, str]
_FIGURE = re.compile(r"(\w+)=(\S*)")


def sentence(cause: Cause | None, detail: str = "") -> str:
    """One line without its full stop; '' without a cause. ``detail``: as ``vocabulary.figures`` makes it, or
    ``text=`` and the sentence itself, which another release made."""
    if cause is None:
        return ""
    before, is_text, text = detail.partition("text=")
    if is_text:
        return text
    found = {name: unquote(value) for name, value in _FIGURE.findall(before)}
    made = _SENTENCES[cause]
    said = made if isinstance(made, str) else made(found)
    # An operator who replays it has to know that the lead has seen a part.
    return f"{said}; bubbles delivered before: {found['bubbles']}" if "bubbles" in found else said


def of_stored(text: str) -> str:
    """The sentence for a reason as the store keeps it. What is no code of ours is shown as it is."""
    reason = read(text)
    return text if reason is None or reason.cause is Cause.OTHER else sentence(*reason)


def of_reason(reason: Reason) -> str:
    """The sentence for a reason that was read."""
    return sentence(*reason)


def _with_status(beginning: str, otherwise: str = "no connection") -> Callable[[_Figures], str]:
    return lambda found: f"{beginning} ({_status(found, otherwise)})"


def _status(found: _Figures, otherwise: str) -> str:
    return f"status {found['status']}" if "status" in found else otherwise


def _of(template: str) -> Callable[[_Figures], str]:
    # A figure that a newer release calls by another name is left out.
    names = re.findall(r"{(\w+)}", template)
    return lambda found: template.format_map({name: found.get(name, "?") for name in names})


def _poison(step: str) -> Callable[[_Figures], str]:
    def said(found: _Figures) -> str:
        # Without: workers were told to end again and again, or another release has buried it.
        killed = f", then it killed {found['killed']} processes that tried it alone" if "killed" in found else ""
        return f"poison: its worker vanished {found.get('times', '?')} times while {step}{killed}"

    return said


def _suspect(found: _Figures) -> str:
    killed = f"; it killed {found['killed']} of them" if "killed" in found else ""
    return f"its worker vanished {found.get('times', '?')} times, so it is tried alone, in a process of its own{killed}"


def _outcome_unknown(found: _Figures) -> str:
    times = f" {found['times']} times while others were answered" if "times" in found else ""
    answer = f" (status {found['status']})" if "status" in found else ""
    return f"outcome unknown{times}{answer}: it may have been acted on"


def _unconfirmed(found: _Figures) -> str:
    answer = f" (status {found['status']})" if "status" in found else ""
    return f"delivery unconfirmed{answer}: it may have arrived"


def _credits_out(found: _Figures) -> str:
    return f"the persona is paused at FluidTalk ({found['reason']})" if "reason" in found else "credits out (402)"


def _nothing_said(found: _Figures) -> str:
    why = f": {found['reason']}" if "reason" in found else ""
    return f"the persona had nothing to say{why}"


def _gave_up(found: _Figures) -> str:
    of_last = " ".join(f"{name}={value}" for name, value in found.items() if name in _OF_THE_LAST)
    why = of_stored(f"{found.get('last', '?')} {of_last}".rstrip())
    return f"gave up after {found.get('attempts', '?')} attempts in {found.get('seconds', '0')} s of pauses: {why}"


def _withheld(found: _Figures) -> str:
    sent, of = found.get("sent", "0"), found.get("of", "?")
    left = str(int(of) - int(sent)) if sent.isdigit() and of.isdigit() else "the rest"
    doubt = ", one of these may have arrived" if "doubtful" in found else ""
    return f"{sent} of {of} sent; {left} written, not sent{doubt}"


def _unsent(why: str, *, always: bool = False) -> Callable[[_Figures], str]:
    # Something was written, and is not sent.
    said = _of(why)
    return lambda found: f"{said(found)}: {_withheld(found)}" if always or "of" in found else said(found)


def _undecryptable(found: _Figures) -> str:
    if "field" in found:
        what = f"what is stored as {found['field']} is not what was encrypted with key {found.get('key', '?')}"
    else:
        what = f"key {found.get('key', '?')} is not in PARLEY_ENCRYPTION__KEYS"
    return f"content cannot be decrypted: {what}"


def _touch(beginning: Callable[[_Figures], str]) -> Callable[[_Figures], str]:
    def made(found: _Figures) -> str:
        moved = f", moved out of quiet hours in {found['zone']}" if "zone" in found else ""
        window = f", moved before the messaging window of {found['window']} closes" if "window" in found else ""
        return beginning(found) + moved + window

    return made


def _cadence_step(found: _Figures) -> str:
    return f"step {found.get('step', '?')} of {found.get('of', '?')}, after {_span(found, 'silence')} of silence"


def _span(found: _Figures, name: str) -> str:
    try:
        seconds = float(found.get(name, "0"))
    except ValueError:
        return "?"
    for unit_seconds, unit in ((86_400, "day"), (3600, "h"), (60, "min")):
        if seconds >= unit_seconds:
            number = f"{seconds / unit_seconds:.1f}".removesuffix(".0")
            return f"{number} {unit}{'s' if unit == 'day' and number != '1' else ''}"
    return f"{seconds:.0f} s"


def _unwanted(why: str) -> Callable[[_Figures], str]:
    return lambda found: f"{why}; written, not sent: {found['withheld']}" if "withheld" in found else why


# Figures of the last failed attempt, among those of giving up.
_OF_THE_LAST = ("status",)

_SENTENCES: dict[Cause, str | Callable[[_Figures], str]] = {
    Cause.PERSONA_PAUSED: "the persona is paused",
    Cause.PERSONA_THROTTLED: _of("throttled by the persona ({status})"),
    Cause.PERSONA_UNAVAILABLE: _with_status("persona unavailable"),
    Cause.PERSONA_UNKNOWN: _with_status("no answer, it may have been acted on", "connection lost or timed out"),
    Cause.PERSONA_REFUSED: _with_status("refused by the persona"),
    Cause.KEY_REFUSED: _of("key refused ({status})"),
    Cause.CREDITS_OUT: _credits_out,
    Cause.BAD_REPLY: "bad reply: not the documented JSON",
    Cause.IMAGE_NOT_HOSTED: _with_status("image cannot be hosted yet"),
    Cause.IMAGE_NOT_FETCHED: "image cannot be fetched yet",
    Cause.IMAGE_MISSING: "image cannot be hosted and there is no text",
    Cause.OWN_LIMIT: "the key's own limit of calls",
    Cause.IN_LINE: "the key's own limit of calls: in line",
    Cause.CHANNEL_UNAVAILABLE: _with_status("channel unavailable"),
    Cause.CHANNEL_UNKNOWN: _with_status(
        "no answer from the channel, it may have arrived", "connection lost or timed out"
    ),
    Cause.CHANNEL_REFUSED: _with_status("delivery refused by the channel"),
    Cause.CHANNEL_CLOSED: "the channel takes nothing now",
    Cause.DELIVERY_REFUSED: _with_status("delivery refused by the channel"),
    Cause.DELIVERY_UNCONFIRMED: _unconfirmed,
    Cause.PACING: _of("next bubble {bubble} of {of}"),
    Cause.TAKEN_OVER: "taken over",
    Cause.INTERRUPTED: _unsent("the lead wrote while bubbles went out", always=True),
    Cause.NO_ANSWER: lambda found: _status(found, "no answer"),
    Cause.OPENERS_BAD: _of("{bad} of the last {counted} openers were ignored, sealed or refused by the channel"),
    Cause.OUTCOME_UNKNOWN: _outcome_unknown,
    Cause.NUDGE_UNKNOWN: "outcome unknown: it may have been sent, and a double nudge is worse than none",
    Cause.GAVE_UP: _gave_up,
    Cause.POISON_ASKING: _poison("asking"),
    Cause.POISON_DELIVERING: _poison("delivering"),
    Cause.POISON_ERROR: _of("poison: internal error, {times} times, the last one {error} at {at}"),
    Cause.SUSPECT: _suspect,
    Cause.INTERNAL_ERROR: _of("internal error: {error} at {at}"),
    Cause.NOT_ASKED: "not asked: the worker lost time or its lease before the call",
    Cause.UNDECRYPTABLE: _undecryptable,
    Cause.NEWER_RELEASE: "written by a newer release",
    Cause.QUIET_HOURS: "quiet hours",
    Cause.RAMP: "outreach ramp",
    Cause.FREQUENCY_CAP: _unsent("the lead has heard enough of all personas for now"),
    Cause.SEALED: "the conversation is sealed",
    Cause.PERSONA_ENDED: "the persona ended the conversation",
    Cause.OWNED_ELSEWHERE: "the lead belongs to another account of the persona",
    Cause.LEAD_WROTE: "the lead wrote in the meantime",
    Cause.TOO_OLD: _of("too old: waited {waited} s, valid for {valid} s"),
    Cause.WINDOW_CLOSED: _unsent("the messaging window of {channel} is closed"),
    Cause.OUTREACH_OFF_ON_CHANNEL: _unsent("outreach is off on {channel}"),
    Cause.OUTREACH_STOPPED: "outreach is stopped, and another event came",
    Cause.OPTED_OUT: _unwanted("the lead opted out"),
    Cause.NOT_OPTED_IN: _unwanted("the lead has not opted in"),
    Cause.QUIET_GAVE_WAY: "it waited for the end of quiet hours, and another event came",
    Cause.RAMP_GAVE_WAY: "it waited for its moment, and another event came",
    Cause.ZONE_UNKNOWN: "the lead's zone is not known",
    Cause.NOTHING_SAID: _nothing_said,
    Cause.ONLY_TOLD: "the persona was told; nothing is said to the lead",
    Cause.TEXT_LOST: "text lost: the persona answered the first call, and its answer did not arrive",
    Cause.ALREADY_LIVE: "the lead already has a live conversation",
    Cause.NO_SUCH_TRIGGER: "FluidTalk does not know this type of event; parley check names those it knows",
    Cause.NO_CONVERSATION: "no conversation yet (404)",
    Cause.LEASE_LOST: "left to another turn: lease lost",
    Cause.DROPPED_AT_HAND_BACK: "dropped at hand-back",
    Cause.FORGOTTEN: "the lead was forgotten",
    Cause.REFUSED_AT_THE_DOOR: "refused at the door",
    Cause.INVALID_EVENT: "not an event",
    Cause.PERSONA_NOT_KNOWN: (
        "UnknownPersona: the settings do not have its persona; parley dead show --show-content has the name"
    ),
    Cause.CHANNEL_MISSING: "the conversation has no channel",
    Cause.TOO_LARGE: "a part of the event is over its limit",
    Cause.INBOX_FULL: "the conversation has too many events waiting",
    Cause.EXPIRED: "its expires was over when it was read",
    Cause.STORE_REFUSES: _of("the store refuses it ({code})"),
    Cause.STUMBLED_AT_THE_DOOR: _of("internal error ({error})"),
    Cause.CADENCE_STEP: _touch(_cadence_step),
    Cause.ASKED_FOR: _touch(_of("asked for by a producer")),
    Cause.CAP_OF_PERSONA: _of("{persona} had its {limit} of the day: the next day"),
    Cause.CAP_OF_ALL: _of("all personas had their {limit} of the day: the next day"),
    Cause.PACE: _of("its moment, at {limit} an hour"),
    Cause.TOUCH_PAUSED: _of("{persona} is paused"),
    Cause.TOUCH_QUARANTINED: _of("{persona} is quarantined"),
    Cause.TOUCH_STOPPED: _of("{persona} is stopped in its outreach"),
    Cause.TOUCH_UNCONFIGURED: _of("{persona} is not configured"),
    Cause.EVENT_IN_FRONT: "another event waits",
    Cause.LATE: lambda found: f"late by {_span(found, 'seconds')}",
    Cause.CADENCE_OVER: "the cadence is over",
    Cause.NO_FURTHER_STEP: "the cadence has no further step",
    Cause.LIMIT_OF_LEAD: _of("the lead has had {touches} follow-ups, the limit is {limit}"),
    Cause.CONVERSATION_EXPIRED: "the conversation has expired",
    Cause.EVENT_GONE: "the event asked for can no longer be read",
    Cause.ID_TAKEN: "an event with its id was accepted before",
    Cause.CANCELLED: lambda found: f"cancelled by {found.get('by', 'a producer')}",
    Cause.SEALED_BY_OPERATOR: "sealed by an operator",
    Cause.NONE_PLANNED: "no follow-up is planned",
    Cause.OTHER: "a reason that this release does not know",
}
