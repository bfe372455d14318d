"""``parley outreach``: how fast a persona writes first, what waits for that, and how its last openers ended."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from config.settings import Outreach
from worker.cli import screen
from worker.cli.arguments import AsJson, PersonaArgument
from worker.cli.gates import closed_gates
from worker.cli.session import session
from worker.domain.moments import as_datetime
from worker.domain.vocabulary import Gate
from worker.store.personas.ramp import OutreachState


def outreach(persona: PersonaArgument, json: AsJson = False) -> None:
    """Show a persona's ramp, what waits for it, how the last openers ended, and what keeps it from writing first.

    Example: parley outreach ava
    """
    with session(reads=True) as opened:
        opened.need_persona(persona)
        state = opened.store.outreach.state(persona)
        closed = closed_gates(opened.store.personas.gates(persona), state.now)
        rules = opened.settings.personas[persona].outreach
    if json:
        screen.as_json(_plain(state, closed))
        return
    fields = _told(state, rules, closed)
    width = max(map(len, fields))
    for name, value in fields.items():
        screen.say(f"{name:<{width}}  {value}")


def _plain(state: OutreachState, closed: dict[Gate, str]) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(state).items() if name not in ("now", "closed")}
    next_free = _at(state.next_free) if state.next_free else None
    share = round(state.bad / state.counted, 3) if state.counted else None
    return {**fields, "next_free": next_free, "bad_share": share, "gates": closed}


def _told(state: OutreachState, rules: Outreach, closed: dict[Gate, str]) -> dict[str, str]:
    ramp = "none: openers go as fast as workers can"
    if state.per_hour is not None:
        grows = f", grows {rules.growth_per_day:g} times a day up to {rules.most_per_hour:g}"
        ramp = f"{state.per_hour:.4g} openers an hour{grows if rules.growth_per_day > 1 else ''}"
    fields = {"ramp": ramp}
    if state.per_hour is not None:
        free = "now" if state.next_free <= state.now else f"{screen.moment(_at(state.next_free))} UTC"
        fields |= {
            "next free moment": free,
            "waiting for their moment": str(state.waiting),
            "gone today": str(state.gone_today),
        }
    share = f" ({state.bad / state.counted:.0%})" if state.counted else ""
    limit = (
        f"it stops at {rules.stop_share:.0%} of at least {rules.stop_minimum}" if rules.stop_share else "it never stops"
    )
    fields["ready for a doorbell"] = str(state.ready)
    fields["ended badly"] = f"{state.bad} of the last {state.counted}{share}; {limit}"
    opens = f"to open it: parley resume {state.persona} --gate"
    fields["closed gates"] = (
        "; ".join(f"{name} ({reason}), {opens} {name}" for name, reason in closed.items()) or "none"
    )
    return fields


def _at(milliseconds: int) -> datetime:
    return as_datetime(milliseconds)
