"""``parley pause`` and ``parley resume``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from worker.cli import screen
from worker.cli.arguments import PersonaArgument, within_limit
from worker.cli.session import session
from worker.domain.operator_words import as_shown
from worker.domain.sentences import of_stored
from worker.domain.vocabulary import Gate
from worker.store.personas.gates import Owner
from worker.store.redis.connection import clock_ms
from worker.store.views import closed_gates as gates_of


def pause(
    persona: PersonaArgument,
    reason: Annotated[str, typer.Option(help="Why; shown by explain.", callback=within_limit)] = "by an operator",
) -> None:
    """Start no further call for a persona. Its events are accepted and wait; turns under way finish.

    Example: parley pause ava --reason "key rotation"
    """
    with session() as opened:
        opened.need_persona(persona)
        opened.acts().pause(persona, reason)
    screen.say(f"{persona} is paused: {reason}. Its events wait in order until: parley resume {persona}")


def resume(
    persona: PersonaArgument,
    gate: Annotated[list[Gate] | None, typer.Option(help="Open this gate instead; can be given several times.")] = None,
) -> None:
    """Open the gates that wait for a person (paused, quarantined), or those named, and go on at once.

    The gate "channel" is one for all personas.

    Example: parley resume ava --gate outreach
    """
    wanted = gate or list(gates_of.BY_A_PERSON)
    with session() as opened:
        opened.need_persona(persona)
        gates, personas = opened.store.gates, opened.store.personas
        channel = Owner("channel", opened.settings.captivate.name)
        closed = closed_gates(personas.gates(persona) | gates.of(channel), clock_ms(opened.store.redis))
        opening = [name for name in wanted if name in closed]
        # All of them: a resume that was interrupted may have opened a gate and left behind what waited for it.
        opened.acts().open_gates(persona, wanted, channel)
    for name in opening:
        screen.say(f"Opened: {name} ({closed.pop(name)}). What waited for it continues now.")
    if not opening:
        screen.say(f"Nothing to open: {persona} is not {' or '.join(wanted)}.")
    for name, reason in closed.items():
        screen.say(f"Still closed: {name} ({reason}). To open it: parley resume {persona} --gate {name}")


def closed_gates(fields: dict[str, str], now: int) -> dict[Gate, str]:
    """The gates that these raw fields say are closed, each with a sentence why. ``now``: store's clock, ms."""
    # Why it is paused is in an operator's own words.
    return {
        gate: as_shown(reason) if gate is Gate.PAUSED else of_stored(reason)
        for gate, reason in gates_of.closed(fields, now).items()
    }


def stored_reason(fields: Mapping[str, str], gate: Gate) -> str:
    """Why a gate is closed, as the store keeps it; '' when it is not."""
    return fields.get(f"{gate}_reason", fields.get(gate, ""))
