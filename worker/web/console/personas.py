"""Personas: which gates are closed, the settings in force, pause and resume."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import BaseModel, SecretStr
from starlette.responses import Response

from worker.cli.gates import closed_gates
from worker.domain.vocabulary import Gate
from worker.store.personas.gates import Owner
from worker.store.personas.ramp import OutreachState
from worker.store.redis.connection import clock_ms
from worker.store.views.closed_gates import BY_A_PERSON
from worker.web.console.previews import Preview, reason_in
from worker.web.console.visits import Refusal, Visit


class Shown(NamedTuple):
    """One persona. ``settings``: name and value of each, without secrets."""

    name: str
    api: str
    gates: dict[Gate, str]
    ramp: OutreachState
    settings: list[tuple[str, str]]


def personas(visit: Visit) -> Response:
    """The page."""
    now = clock_ms(visit.store.redis)
    shown = [
        Shown(
            name,
            persona.speaks,
            closed_gates(visit.store.personas.gates(name), now),
            visit.store.outreach.state(name),
            _in_force(visit, name),
        )
        for name, persona in sorted(visit.settings.personas.items())
    ]
    return visit.page("personas.html", shown=shown, now=now, paused=Gate.PAUSED)


def pause_preview(visit: Visit) -> Response:
    """What a pause does."""
    name = _named(visit)
    says = [
        f"No further call is made for {name}: its events are accepted and wait in order.",
        "Turns that run now finish. Nothing is lost, and nobody is told.",
    ]
    return _preview(visit, Preview(f"Pause {name}?", says, f"Pause {name}", reason=True))


def pause(visit: Visit) -> Response:
    """Pause it."""
    name = _named(visit)
    reason = reason_in(visit) or f"by {visit.operator.name}"
    visit.acts.pause(name, reason)
    return visit.go("/personas", f"{name} is paused. Its events wait in order until you resume it.")


def resume_preview(visit: Visit) -> Response:
    """Which gates are closed, and what opening does."""
    name, closed = _named(visit), _closed(visit)
    if not closed:
        raise Refusal(409, "There is nothing to open", f"No gate of {name} is closed.")
    says = ["What waited for an open gate continues at once, in order."]
    if Gate.CHANNEL in closed:
        says.append("The gate channel is one for all personas.")
    choices = tuple((gate.value, f"{gate}: {reason}") for gate, reason in closed.items())
    return _preview(
        visit, Preview(f"Open gates of {name}?", says, "Open", choices=choices, legend="Which gates"), several=True
    )


def resume(visit: Visit) -> Response:
    """Open the gates that were chosen."""
    name, closed = _named(visit), _closed(visit)
    wanted = [gate for gate in closed if visit.form.get(f"gate-{gate}")]
    if not wanted:
        raise Refusal(400, "Nothing was changed", "Choose at least one gate.")
    visit.acts.open_gates(name, wanted, Owner("channel", visit.store.channel))
    return visit.go("/personas", f"Opened for {name}: {', '.join(wanted)}. What waited continues now.")


def _preview(visit: Visit, preview: Preview, *, several: bool = False) -> Response:
    return visit.page(
        "preview.html",
        preview=preview,
        action=visit.path,
        back="/personas",
        crumbs=[("/personas", "Personas")],
        several=several,
        chosen=[str(gate) for gate in BY_A_PERSON],
    )


def _named(visit: Visit) -> str:
    name = visit.names["name"]
    if name not in visit.settings.personas:
        raise Refusal(404, "No such persona", "No persona of this name is configured.")
    return name


def _closed(visit: Visit) -> dict[Gate, str]:
    store = visit.store
    fields = store.personas.gates(visit.names["name"]) | store.gates.of(Owner("channel", store.channel))
    return closed_gates(fields, clock_ms(store.redis))


def _in_force(visit: Visit, name: str) -> list[tuple[str, str]]:
    settings, persona = visit.settings, visit.settings.personas[name]
    resolved: dict[str, BaseModel] = {
        "join": settings.join_of(name),
        "follow_ups": settings.follow_ups_of(name),
        "quiet_hours": settings.quiet_hours_of(name),
        "messaging_windows": settings.messaging_windows_of(name),
        "pacing": settings.pacing_of(name),
        "consent": settings.consent_of(name),
    }
    own = {field: getattr(persona, field) for field in type(persona).model_fields if field not in resolved}
    return [pair for field, value in sorted({**own, **resolved}.items()) for pair in _plain(field, value)]


def _plain(name: str, value: Any) -> list[tuple[str, str]]:
    if value is None or isinstance(value, SecretStr):
        return []
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return [pair for field in fields for pair in _plain(f"{name}.{field}", getattr(value, field))]
    if isinstance(value, list | tuple | set | frozenset):
        return [(name, ", ".join(map(str, value)))] if value else []
    if isinstance(value, dict):
        return [(name, ", ".join(f"{key} {each}" for key, each in value.items()))] if value else []
    return [(name, {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value))]
