"""``parley ingress``: what the ingress would make of a request, without sending it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from config.settings import Settings, load
from worker.adapters.captivate_leads import Leads
from worker.adapters.captivate_requests import from_captivate
from worker.adapters.json_bodies import NotJson, sent_by_platform
from worker.cli import screen
from worker.cli.arguments import AsJson
from worker.cli.ending import No, Usage
from worker.domain.events import InboundChat
from worker.domain.refusals import Refused
from worker.pipeline.producer import Producer


def try_request(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The JSON that Captivate posts, as a file.")],
    persona: Annotated[str, typer.Option(help="Whose chat endpoint it is posted to; by default the first one.")] = "",
    json: AsJson = False,
) -> None:
    """Show which event a Captivate request would become, and which lead it would be, without its content.

    Nothing is sent or stored. A session that is known already stays with its lead, whatever this shows.
    Exit status 1 when the request would be refused.

    Example: parley ingress try request.json --persona ava
    """
    settings = load(role="producer")
    known = sorted(settings.personas)
    persona = persona or known[0]
    if persona not in known:
        raise Usage(f"There is no persona {persona!r} in these settings. Known: {', '.join(known)}")
    told = _told(settings, persona, _read(file))
    if json:
        screen.as_json(told)
    else:
        screen.show(screen.fields({name.replace("_", " "): value for name, value in told.items()}))


def _read(file: Path) -> dict[str, Any]:
    try:
        value = sent_by_platform(file.read_bytes())
    except OSError as error:
        raise Usage(f"{file} cannot be read: {error.strerror}") from None
    except NotJson:
        raise No(f"{file} is not JSON: the ingress would answer 400") from None
    if not isinstance(value, dict):
        raise No(f"{file} holds no JSON object: the ingress would answer 422")
    return value


def _told(settings: Settings, persona: str, payload: dict[str, Any]) -> dict[str, Any]:
    leads = Leads(settings.ingress.captivate, settings.privacy)
    try:
        # Without a session it is refused, whatever the target.
        target = leads.target_of(payload, settings.personas[persona]) or "-"
        event = from_captivate(payload, persona=persona, target=target)
        with Producer(settings) as producer:
            target = producer.conversation_of(event).target
    except Refused as refusal:
        raise No(f"The ingress would answer 422: {refusal}") from None
    return {"kind": event.kind, "persona": persona, "target": target, **_parts(event)}


def _parts(event: InboundChat) -> dict[str, Any]:
    return {
        "message_characters": len(event.message),
        "images": len(event.attachments),
        "documents": len(event.documents or ()),
        "livechat": bool(event.channel and event.channel.hasLivechat),
        "left_out": "; ".join(map(str, event.left_out)) or "nothing",
    }
