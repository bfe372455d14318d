"""``parley follow-ups``: what is due when and why; what a change of the cadence would do; and doing it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import chain
from typing import Annotated, Any

import typer

from worker.cli import screen
from worker.cli.arguments import AsJson, PersonaArgument, PersonaOption, TargetArgument
from worker.cli.cadence import DAYS, WORDS, Tally, to_try
from worker.cli.ending import No, Usage
from worker.cli.gates import closed_gates
from worker.cli.session import Session, conversation_of, session
from worker.cli.times import both, relative, utc
from worker.domain.cadence import Drop, Move, NoTouch, Policy, TouchState, next_touch, policy_of, replanned
from worker.domain.cadence import upcoming as touches_to_come
from worker.domain.conversation import Conversation
from worker.domain.moments import as_datetime
from worker.domain.sentences import of_stored
from worker.domain.vocabulary import Gate
from worker.store.operator.audit import Act

_AT_ONCE = 500
_EPOCH = date(1970, 1, 1)
# What keeps a follow-up that is due from being sent.
_WAITS_FOR = (Gate.PAUSED, Gate.QUARANTINED, Gate.OUTREACH)

DelaysOption = Annotated[
    str | None, typer.Option(help="Try these silences instead of the configured ones, such as 4h,1d,3d; or none.")
]
QuietOption = Annotated[
    str | None, typer.Option(help="Try these quiet hours instead of the configured ones, such as 21:00-09:00; or none.")
]


def list_touches(
    persona: PersonaOption = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the earliest.")] = 50,
    json: AsJson = False,
) -> None:
    """List the next follow-ups, the earliest first: when, to whom, and the rule behind it.

    Example: parley follow-ups list --persona ava --limit 20
    """
    with session(reads=True) as opened:
        now = opened.store.follow_ups.now()
        found = opened.store.follow_ups.upcoming(limit, persona)
    if json:
        screen.as_json([_plain(state) for state in found])
    elif found:
        screen.table(
            ["due (UTC)", "when", "persona", "target", "why then"],
            [
                [
                    utc(state.due).removesuffix(" UTC"),
                    relative(state.due, now),
                    *Conversation.of_name(state.conversation),
                    of_stored(state.rule),
                ]
                for state in found
            ],
        )
    else:
        screen.say("No follow-up is planned.")


def show(persona: PersonaArgument, target: TargetArgument, json: AsJson = False) -> None:
    """Show the follow-ups of the next 7 days that one lead gets who stays quiet, each with its rule.

    What the policy skips is left out. Caps per day and hour depend on other leads and are not foreseen.

    Example: parley follow-ups show ava @john_doe
    """
    conversation = conversation_of(persona, target)
    with session(reads=True) as opened:
        opened.need_persona(persona)
        policy = _policy(opened, persona)
        store = opened.store
        now, state = store.follow_ups.now(), store.follow_ups.state_of(conversation)
        closed = closed_gates(store.personas.gates(persona), now)
        waiting = store.inbox.waiting(conversation)
    outlook = touches_to_come(policy, state, now, DAYS)
    waits_for = [f"{gate} ({closed[gate]})" for gate in _WAITS_FOR if gate in closed] if state.due else []
    if waiting and state.due:
        waits_for.append(f"{waiting} events that wait in front of it")
    if json:
        touches = [{"at_ms": touch.at, "rule": of_stored(touch.rule)} for touch in outlook.touches]
        screen.as_json({"touches": touches, "ends": of_stored(outlook.ends), "waits_for": waits_for})
        return
    if not state.due:
        reason = next_touch(policy, state)
        why = f": {of_stored(reason.reason)}" if isinstance(reason, NoTouch) and reason.reason else ""
        screen.say(
            f"No follow-up is planned{why}. One is planned when a reply reaches the lead and nothing else waits."
        )
        return
    if not outlook.touches:
        screen.say(f"None in the next {DAYS} days{f': {of_stored(outlook.ends)}' if outlook.ends else ''}.")
    else:
        count = len(outlook.touches)
        screen.say(
            f"{count} in the next {DAYS} days if {target} stays quiet, the first {both(outlook.touches[0].at, now)}."
        )
    if waits_for:
        screen.say(f"It waits for: {'; '.join(waits_for)}.")
    if outlook.touches:
        screen.say("")
        screen.table(
            ["at (UTC)", "when", "why then"],
            [
                [utc(touch.at).removesuffix(" UTC"), relative(touch.at, now), of_stored(touch.rule)]
                for touch in outlook.touches
            ],
        )
    if outlook.touches and outlook.ends:
        screen.say(f"Then no more: {of_stored(outlook.ends)}.")


def preview(
    persona: PersonaOption = None, delays: DelaysOption = None, quiet: QuietOption = None, json: AsJson = False
) -> None:
    """Say what the configured cadence, or one to try, would do to all conversations as they stand. Changes nothing.

    Example: parley follow-ups preview --persona ava --delays 4h,1d,3d --quiet 21:00-09:00
    """
    with session(reads=True) as opened:
        now = opened.store.follow_ups.now()
        policies = _policies(opened, persona, delays, quiet)
        tallies = {name: _rehearse(opened, name, policy, now) for name, policy in policies.items()}
    if json:
        screen.as_json({name: _plain_tally(tally, now) for name, tally in tallies.items()})
        return
    _print(tallies, now)
    if delays is not None or quiet is not None:
        screen.show(
            screen.lines(
                [
                    "",
                    "Nothing was changed. To have it so: set PARLEY_FOLLOW_UPS__DELAYS_SECONDS (or the persona's own) "
                    "and PARLEY_QUIET_HOURS__START and END; restart workers and beats; parley follow-ups apply",
                ]
            )
        )


def apply(
    persona: PersonaOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Plan the next follow-up of all conversations again by the configured cadence. Shows first what that changes.

    A follow-up that changes meanwhile, because a lead writes or another command plans it, is left as it is.

    Example: parley follow-ups apply --persona ava
    """
    with session() as opened:
        now = opened.store.follow_ups.now()
        policies = _policies(opened, persona, None, None)
        tallies = {name: _rehearse(opened, name, policy, now) for name, policy in policies.items()}
        _print(tallies, now)
        planned = sum(
            count for tally in tallies.values() for word, count in tally.counts.items() if word != "unchanged"
        )
        if not planned:
            screen.say("Nothing to change.")
            return
        if not yes and not typer.confirm(f"Change {planned} follow-ups?"):
            raise No("Nothing was changed.")
        wanted, changed = 0, 0
        for name, policy in policies.items():
            for changes in _changes(opened, name, policy):
                wanted += len(changes)
                changed += opened.store.follow_ups.apply(changes)
        opened.acts().did(Act.FOLLOW_UPS_PLANNED, persona, f"changed: {changed}")
    left = f"; {wanted - changed} had changed meanwhile and were left" if wanted > changed else ""
    screen.say(f"{changed} changed{left}.")


def cancel(
    persona: PersonaArgument,
    target: TargetArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Drop the next follow-up of one lead. The cadence starts again with the next reply that reaches the lead.

    Example: parley follow-ups cancel ava @john_doe
    """
    conversation = conversation_of(persona, target)
    with session() as opened:
        follow_ups = opened.store.follow_ups
        state = follow_ups.state_of(conversation)
        if state.due and not yes:
            screen.say(f"Planned for {both(state.due, follow_ups.now())}: {of_stored(state.rule)}.")
            if not typer.confirm("Cancel it?"):
                raise No("Nothing was changed.")
        if not opened.acts().cancel_follow_up(conversation):
            raise No("No follow-up is planned for this lead.")
    screen.say("Cancelled. The cadence starts again with the next reply that reaches the lead.")


def _policy(opened: Session, persona: str) -> Policy:
    return policy_of(opened.settings, persona)


def _policies(opened: Session, persona: str | None, delays: str | None, quiet: str | None) -> dict[str, Policy]:
    without_cadence = {name for name, each in opened.settings.personas.items() if each.speaks == "characters"}
    if persona is not None:
        opened.need_persona(persona)
        if delays and persona in without_cadence:
            raise Usage(f"{persona} has no cadence: FluidTalk writes the follow-ups of the Characters API itself.")
    configured = {name: _policy(opened, name) for name in ([persona] if persona else sorted(opened.settings.personas))}
    return {
        name: to_try(policy, None if name in without_cadence else delays, quiet) for name, policy in configured.items()
    }


def _rehearse(opened: Session, persona: str, policy: Policy, now: int) -> Tally:
    tally = Tally()
    for state in chain.from_iterable(opened.store.follow_ups.quiet(persona)):
        tally.add(policy, state, now)
    return tally


def _changes(opened: Session, persona: str, policy: Policy) -> Iterator[list[tuple[TouchState, Move | Drop]]]:
    now = opened.store.follow_ups.now()
    for states in opened.store.follow_ups.quiet(persona):
        found = [(state, change) for state in states if (change := replanned(policy, state, now)) is not None]
        for start in range(0, len(found), _AT_ONCE):
            yield found[start : start + _AT_ONCE]


def _print(tallies: dict[str, Tally], now: int) -> None:
    screen.table(
        ["persona", *WORDS], [[name, *(tally.counts[word] for word in WORDS)] for name, tally in tallies.items()]
    )
    screen.say("")
    screen.say(f"Follow-ups of the next {DAYS} days if all leads stay quiet (caps per day and hour not counted):")
    days = _days(now)
    screen.table(
        ["persona", *(f"{day:%a %d}" for day in days.values())],
        [[name, *(tally.per_day[day] for day in days)] for name, tally in tallies.items()],
    )
    ends = [[name, count, of_stored(why)] for name, tally in tallies.items() for why, count in tally.ends.most_common()]
    if ends:
        screen.say("")
        screen.say(f"Leads whose follow-ups end in the next {DAYS} days before the cadence is over:")
        screen.table(["persona", "leads", "because"], ends)


def _days(now: int) -> dict[int, date]:
    first = (as_datetime(now).date() - _EPOCH).days
    return {day: _EPOCH + timedelta(days=day) for day in range(first, first + DAYS + 1)}


def _plain_tally(tally: Tally, now: int) -> dict[str, Any]:
    per_day = {str(day): tally.per_day[number] for number, day in _days(now).items()}
    counts = {word: tally.counts[word] for word in WORDS}
    return {"counts": counts, "per_day": per_day, "ends": {of_stored(why): count for why, count in tally.ends.items()}}


def _plain(state: TouchState) -> dict[str, Any]:
    persona, target = Conversation.of_name(state.conversation)
    return {
        "persona": persona,
        "target": target,
        "due_ms": state.due,
        "rule": of_stored(state.rule),
        "step": state.step,
    }
