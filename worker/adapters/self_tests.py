"""What FluidTalk says of the personas of its Characters API: free calls that reach no lead, for ``parley check``."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing

from config.settings import Persona, Settings
from worker.adapters.characters import OUTREACH
from worker.adapters.fluidtalk_failures import failure_of
from worker.clients.fluidtalk import Characters, FluidTalkError, SelfTest
from worker.clients.http.connections import Connections
from worker.domain.failures import CreditsOut, KeyRefused
from worker.observability.checks import Finding

_MOST_NAMED = 20


def of_personas(settings: Settings, told_of: Collection[str] = ()) -> list[Finding]:
    """A finding for each persona of the Characters API and each of its platforms, from a call each, and one for the
    platform events that FluidTalk does not know; none without such personas.

    ``settings``: of a worker, because the calls need tokens. ``told_of``: types of platform events that personas were
    told of, each as ``<persona> <type>``.
    """
    times, found = settings.fluidtalk, []
    with closing(Connections(ca_path=times.ca_path, proxy=times.proxy_url)) as connections:
        for name, persona in sorted(settings.personas.items()):
            if persona.speaks != "characters":
                continue
            client = Characters(
                settings.api_key_of(name),
                base_url=times.base_url,
                mode=persona.mode,
                timeout=times.connect_seconds,
                connect_timeout=times.connect_seconds,
                connections=connections,
            )
            types = {event_type for owner, _, event_type in (each.partition(" ") for each in told_of) if owner == name}
            found += _of_persona(client, name, persona, types)
    return found


def _of_persona(client: Characters, name: str, persona: Persona, told_of: Collection[str]) -> list[Finding]:
    found: list[Finding] = []
    unknown = set(told_of)
    more = persona.pulled_follow_ups.platforms if persona.pulled_follow_ups.enabled else ()
    for platform in dict.fromkeys((persona.platform or "", *more)):
        try:
            result = client.self_test(platform=platform)
        except FluidTalkError as error:
            return [*found, _of_failure(error, f"persona {name}", name)]
        found.append(_of_result(result, f"persona {name}", name, platform))
        # Where FluidTalk does not name what it knows, any may be known.
        unknown = unknown.difference(result.fireable_event_ids) if result.fireable_event_ids is not None else set()
    return [*found, *_of_unknown_types(f"persona {name}", sorted(unknown))]


def _of_failure(error: FluidTalkError, check: str, name: str) -> Finding:
    failure = failure_of(error)
    if isinstance(failure, KeyRefused):
        remedy = f"give its token: PARLEY_PERSONAS__{name.upper()}__API_KEY"
        return Finding(check, "failure", f"FluidTalk refuses its token ({failure.status})", remedy)
    if isinstance(failure, CreditsOut):
        return Finding(check, "failure", "its wallet is empty: no lead is answered", "top up its wallet at FluidTalk")
    status = f"status {failure.status}" if failure.status else failure.why or "no answer"
    means = f"FluidTalk gave no result of its self test ({status}), so nothing is known"
    return Finding(check, "warning", means, "try again; look at FLUIDTALK__BASE_URL if it stays so")


def _of_result(result: SelfTest, check: str, name: str, platform: str) -> Finding:
    if result.platforms is not None and platform not in result.platforms:
        bound = ", ".join(result.platforms) or "none"
        means = f"platform {platform} is not bound at FluidTalk (bound: {bound}): its leads cannot be answered"
        remedy = f"bind it there, or correct the platforms in PARLEY_PERSONAS__{name.upper()}__..."
        return Finding(check, "failure", means, remedy)
    failed = ", ".join(each.name for each in result.checks if not each.ok)
    if not result.ok:
        means = f"its self test at FluidTalk failed ({failed or 'no reason told'})"
        return Finding(check, "failure", means, "mend what these checks name in FluidTalk's dashboard")
    if failed:
        return Finding(
            check, "warning", f"its self test names {failed}", "look at these checks in FluidTalk's dashboard"
        )
    return Finding(check, "ok", f"its self test passed, platform {platform}{_triggers(result.fireable_event_ids)}")


def _of_unknown_types(check: str, types: list[str]) -> list[Finding]:
    if not types:
        return []
    means = f"of the platform events that it was told of in the last days, FluidTalk does not know: {_listed(types)}"
    return [
        Finding(
            check, "warning", means, "they are skipped: correct event_type in the producer, or add them at FluidTalk"
        )
    ]


def _triggers(fireable: list[str] | None) -> str:
    # What producers may name as the type of an event: FluidTalk says nothing to others.
    if fireable is None:
        return ""
    return f"; types of platform events that it knows: {_listed(sorted(set(fireable) - {OUTREACH})) or 'none'}"


def _listed(names: list[str]) -> str:
    further = f", {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + further
