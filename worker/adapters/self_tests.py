"""What FluidTalk says of the personas of its Characters API: free calls that reach no lead, for ``parley check``."""

from __future__ import annotations

from contextlib import closing

from config.settings import Settings
from worker.adapters.handshake import failure_of
from worker.clients.fluidtalk import Characters, FluidTalkError, SelfTest
from worker.clients.http.connections import Connections
from worker.domain.failures import CreditsOut, KeyRefused
from worker.observability.checks import Finding


def of_personas(settings: Settings) -> list[Finding]:
    """A finding for each persona of the Characters API, from one call each; none without such personas.

    ``settings``: of a worker, because the calls need tokens.
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
            found.append(_of_persona(client, name, persona.platform or ""))
    return found


def _of_persona(client: Characters, name: str, platform: str) -> Finding:
    check = f"persona {name}"
    try:
        result = client.self_test(platform=platform)
    except FluidTalkError as error:
        failure = failure_of(error)
        if isinstance(failure, KeyRefused):
            remedy = f"give its token: PARLEY_PERSONAS__{name.upper()}__API_KEY"
            return Finding(check, "failure", f"FluidTalk refuses its token ({failure.status})", remedy)
        if isinstance(failure, CreditsOut):
            return Finding(
                check, "failure", "its wallet is empty: no lead is answered", "top up its wallet at FluidTalk"
            )
        status = f"status {failure.status}" if failure.status else failure.why or "no answer"
        means = f"FluidTalk gave no result of its self test ({status}), so nothing is known"
        return Finding(check, "warning", means, "try again; look at FLUIDTALK__BASE_URL if it stays so")
    return _of_result(result, check, name, platform)


def _of_result(result: SelfTest, check: str, name: str, platform: str) -> Finding:
    if result.platforms is not None and platform not in result.platforms:
        bound = ", ".join(result.platforms) or "none"
        means = f"platform {platform} is not bound at FluidTalk (bound: {bound}): its leads cannot be answered"
        remedy = f"bind it there, or correct PARLEY_PERSONAS__{name.upper()}__PLATFORM"
        return Finding(check, "failure", means, remedy)
    failed = ", ".join(each.name for each in result.checks if not each.ok)
    if not result.ok:
        means = f"its self test at FluidTalk failed ({failed or 'no reason told'})"
        return Finding(check, "failure", means, "mend what these checks name in FluidTalk's dashboard")
    if failed:
        return Finding(
            check, "warning", f"its self test names {failed}", "look at these checks in FluidTalk's dashboard"
        )
    return Finding(check, "ok", f"its self test passed, platform {platform}")
