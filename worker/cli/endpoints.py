"""``parley notices endpoints``, ``pause``, ``resume``, ``replay`` and ``remove``: where notices are pushed to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from worker.cli import screen
from worker.cli.arguments import AsJson, ByOption, within_limit
from worker.cli.ending import No, Usage
from worker.cli.session import Session, session
from worker.cli.since import SinceOption, moment_ms
from worker.cli.times import both, span, utc
from worker.domain.operator_words import as_shown
from worker.store.endpoints import GAVE_UP, EndpointState
from worker.store.operator.audit import Act
from worker.store.redis.connection import clock_ms

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the endpoint in the settings.")]

_READ_AT_ONCE = 500
_REFUSALS = 20


def endpoints(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Only this one, with what its receiver refused.")] = "",
    json: AsJson = False,
) -> None:
    """Show how far each endpoint is: sent, refused by its receiver, lost, how late, and why.

    Example: parley notices endpoints crm
    """
    with session(reads=True) as opened:
        store, now = opened.store, clock_ms(opened.store.redis)
        states = [_known(opened, name)] if name else [store.endpoints.state(each) for each in _names(opened)]
        rows = [(state, store.endpoints.behind(state)) for state in states]
        refusals = store.endpoints.refusals(name, _REFUSALS) if name else []
    if json:
        told = [_plain(state, behind, now) for state, behind in rows]
        last = [
            {"at_ms": each.at, "notice": each.notice, "type": each.type, "status": each.status} for each in refusals
        ]
        screen.as_json({**told[0], "last_refused": last} if name else told)
    elif name:
        screen.show(screen.fields(_fields(*rows[0], now)))
        if refusals:
            screen.say("")
            screen.table(
                ["refused (UTC)", "notice", "type", "status"],
                [[utc(each.at).removesuffix(" UTC"), each.notice, each.type, each.status] for each in refusals],
            )
    elif rows:
        screen.table(
            ["endpoint", "state", "sent", "refused", "lost", "late by"],
            [
                [state.name, _condition(state, now), state.sent, state.dropped, state.lost, _late(behind, now)]
                for state, behind in rows
            ],
        )
    else:
        screen.say("Notices are pushed to no endpoint: set PARLEY_NOTICES__ENDPOINTS__<NAME>__URL and __SECRET.")


def pause(
    name: NameArgument,
    reason: Annotated[
        str, typer.Option(help="Why; shown by endpoints and status.", callback=within_limit)
    ] = "by an operator",
    by: ByOption = None,
) -> None:
    """Send nothing to an endpoint. Its notices wait for as long as notices are kept; calls under way finish.

    Example: parley notices pause crm --reason "it moves"
    """
    with session(reads=True) as opened:
        state = _known(opened, name)
        if not opened.store.endpoints.order(name, "pause", reason=reason, by=opened.acts(by).by):
            raise No(f"{name} is paused already: {_reason(state)}")
        opened.acts(by).did(Act.ENDPOINT_PAUSED, detail=f"{name}: {reason}")
    screen.say(f"{name} is paused: {reason}. Its notices wait until: parley notices resume {name}")


def resume(
    name: NameArgument,
    from_now_on: Annotated[
        bool, typer.Option("--from-now-on", help="Leave out what it has not got yet. Shows first how much that is.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    by: ByOption = None,
) -> None:
    """Send to an endpoint again, from where it was, at once.

    With --from-now-on it need not be paused.

    Example: parley notices resume crm
    """
    with session(reads=True) as opened:
        state = _known(opened, name)
        if from_now_on:
            left_out = _leave_out(opened, state, yes)
            opened.acts(by).did(Act.ENDPOINT_RESUMED, detail=f"{name}: from now on, {left_out} left out")
            screen.say(f"{name} continues with what is noted from now on; {left_out} were left out.")
            return
        if not opened.store.endpoints.order(name, "resume"):
            raise No(f"{name} is not paused.")
        opened.acts(by).did(Act.ENDPOINT_RESUMED, detail=name)
    screen.say(f"{name} continues now, from where it was.")


def _leave_out(opened: Session, state: EndpointState, yes: bool) -> int:
    endpoints, ends = opened.store.endpoints, opened.store.endpoints.ends()
    begins = [at or first for at, first in zip(state.positions, endpoints.beginnings(), strict=True)]
    counts = _counts(opened, begins, ends)
    if not counts and not state.paused:
        raise No(f"{state.name} has got all that is kept, and is not paused.")
    if counts:
        screen.table(["type", "notices"], [[kind, count] for kind, count in counts.most_common()])
        if not yes and not typer.confirm(f"Leave out {counts.total()} notices, so that {state.name} never gets them?"):
            raise No("Nothing was changed.")
    endpoints.order(state.name, "skip", positions=ends)
    return counts.total()


def replay(
    name: NameArgument,
    since: SinceOption,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    by: ByOption = None,
) -> None:
    """Send an endpoint again what was noted since a time, with the same ids. Shows first how much that is.

    Notices that it has not got yet stay in their place: nothing is skipped.

    Example: parley notices replay crm --since 2h
    """
    with session(reads=True) as opened:
        store, state = opened.store, _known(opened, name)
        positions = store.endpoints.positions_since(moment_ms(since, clock_ms(store.redis)))
        counts = _counts(opened, positions, state.positions)
        if not counts:
            raise No(f"{name} has got nothing since then that is still kept.")
        screen.table(["type", "notices"], [[kind, count] for kind, count in counts.most_common()])
        if not yes and not typer.confirm(f"Send {counts.total()} notices again to {name}, as far as it wants them?"):
            raise No("Nothing was changed.")
        store.endpoints.order(name, "replay", positions=positions)
        opened.acts(by).did(Act.ENDPOINT_REPLAYED, detail=f"{name}: since {since}")
    paused = f" It is paused: parley notices resume {name}" if state.paused else ""
    screen.say(f"{name} gets them again, the oldest first.{paused}")


def remove(
    name: NameArgument, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, by: ByOption = None
) -> None:
    """Forget an endpoint that no settings name any more. One that is configured begins as a new one.

    Example: parley notices remove crm
    """
    with session(reads=True) as opened:
        state = _known(opened, name)
        now = clock_ms(opened.store.redis)
        if state.holder_until > now:
            raise No(f"A process sends to {name}: take it out of the settings and restart the web processes first.")
        if not yes and not typer.confirm(f"Forget {name}, its place and its counts?"):
            raise No("Nothing was changed.")
        opened.store.endpoints.remove(name)
        opened.acts(by).did(Act.ENDPOINT_REMOVED, detail=name)
    screen.say(f"{name} is forgotten.")


def _names(opened: Session) -> list[str]:
    # Only the web processes have them in their settings.
    return opened.store.endpoints.names()


def _known(opened: Session, name: str) -> EndpointState:
    names = _names(opened)
    if name not in names:
        raise Usage(f"There is no endpoint {name!r}. Known: {', '.join(names) or 'none'}")
    return opened.store.endpoints.state(name)


def _counts(opened: Session, positions: Sequence[str], until: Sequence[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for shard, (after, end) in enumerate(zip(positions, until, strict=True)):
        while end and after:
            page = opened.store.notices.read_shard(shard, after, _READ_AT_ONCE)
            got = [each for each in page.notices if _place(each.id.partition("-")[2]) <= _place(end)]
            counts.update(each.type for each in got)
            after = page.after if len(got) == _READ_AT_ONCE else ""
    return counts


def _place(at: str) -> tuple[int, int]:
    milliseconds, _, number = at.partition("-")
    return int(milliseconds), int(number)


def _condition(state: EndpointState, now: int) -> str:
    if state.paused:
        return f"paused: {_reason(state)}"
    if state.holder_until <= now:
        return "no process sends to it"
    if state.failing_since:
        again = f", again {both(state.not_before, now)}" if state.not_before > now else ""
        return f"fails for {span((now - state.failing_since) / 1000)} ({state.last_failure}){again}"
    return "sends"


def _reason(state: EndpointState) -> str:
    if state.paused == GAVE_UP:
        return f"a notice was not taken for 3 days ({state.last_failure})"
    return as_shown(f"{state.paused} (by {state.paused_by})" if state.paused_by else state.paused)


def _late(behind: int, now: int) -> str:
    return span((now - behind) / 1000) if behind else "-"


def _fields(state: EndpointState, behind: int, now: int) -> dict[str, object]:
    return {
        "endpoint": state.name,
        "state": _condition(state, now),
        "late by": _late(behind, now),
        "sent": f"{state.sent}{_last(state.last_sent_at, now)}",
        "refused": f"{state.dropped} (the receiver refused them for good)",
        "lost": f"{state.lost} (dropped or erased before they were sent)",
        "failed calls": f"{state.failed}{_last(state.last_failed_at, now)}",
        "last failure": state.last_failure or "-",
    }


def _last(at: int, now: int) -> str:
    return f", the last {both(at, now)}" if at else ""


def _plain(state: EndpointState, behind: int, now: int) -> dict[str, Any]:
    return {
        "endpoint": state.name,
        "state": "paused" if state.paused else "idle" if state.holder_until <= now else "sends",
        "paused": {"reason": state.paused, "at_ms": state.paused_at, "by": state.paused_by or None}
        if state.paused
        else None,
        "failing_since_ms": state.failing_since or None,
        "next_try_at_ms": state.not_before or None,
        "last_failure": state.last_failure or None,
        "last_failed_at_ms": state.last_failed_at or None,
        "last_sent_at_ms": state.last_sent_at or None,
        "sent": state.sent,
        "refused": state.dropped,
        "lost": state.lost,
        "failed_calls": state.failed,
        "late_seconds": max(0.0, (now - behind) / 1000) if behind else 0.0,
        "now_ms": now,
    }
